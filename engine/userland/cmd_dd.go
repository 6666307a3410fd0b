package userland

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// copyJob is one dd.
type copyJob struct {
	ibs, obs, count, skip, seek int64
	input, output               string
	conv, flags                 string
	quiet                       bool
}

func runDd(t *task, args []string) int {
	j := copyJob{ibs: 512, obs: 512, count: -1, input: "-"}
	for _, a := range args {
		if err := j.operand(a); err != nil {
			return t.errorf("%s", err)
		}
	}
	in, err := t.open(j.input)
	if err != nil {
		return t.errorf("failed to open '%s': %s", j.input, reason(err))
	}
	defer in.Close()
	var out io.Writer = t.Stdout
	if j.output != "" {
		f, err := j.openOutput(t)
		if err != nil {
			return t.errorf("failed to open '%s': %s", j.output, reason(err))
		}
		defer f.Close()
		out = f
	}
	return j.copy(t, in, out)
}

func (j *copyJob) operand(a string) error {
	name, value, ok := strings.Cut(a, "=")
	if !ok {
		return fmt.Errorf("unrecognized operand '%s'", a)
	}
	var n int64
	switch name {
	case "bs", "ibs", "obs", "count", "skip", "seek":
		var err error
		if n, err = size(value); err != nil || n == 0 && strings.HasSuffix(name, "bs") {
			return fmt.Errorf("invalid number: '%s'", value)
		}
	}
	switch name {
	case "if":
		j.input = value
	case "of":
		j.output = value
	case "bs":
		j.ibs, j.obs = n, n
	case "ibs":
		j.ibs = n
	case "obs":
		j.obs = n
	case "count":
		j.count = n
	case "skip", "iseek":
		j.skip = n
	case "seek", "oseek":
		j.seek = n
	case "conv":
		j.conv = "," + value + ","
	case "status":
		j.quiet = value == "none"
	case "iflag", "oflag":
		j.flags += "," + value + ","
	default:
		return fmt.Errorf("unrecognized operand '%s'", a)
	}
	return nil
}

func (j *copyJob) openOutput(t *task) (File, error) {
	flag := 0
	if !strings.Contains(j.conv, ",notrunc,") && j.seek == 0 {
		flag = os.O_TRUNC
	}
	if strings.Contains(j.flags, ",append,") {
		flag |= os.O_APPEND
	}
	if strings.Contains(j.conv, ",excl,") {
		flag |= os.O_EXCL
	}
	f, err := t.create(j.output, flag, 0o666)
	if err != nil {
		return nil, err
	}
	if cut, ok := f.(interface{ Truncate(int64) error }); ok && j.seek > 0 && !strings.Contains(j.conv, ",notrunc,") {
		cut.Truncate(j.seek * j.obs)
	}
	if j.seek > 0 {
		s, ok := f.(io.Seeker)
		if !ok {
			f.Close()
			return nil, errors.ErrUnsupported
		}
		if _, err := s.Seek(j.seek*j.obs, io.SeekStart); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

func (j *copyJob) copy(t *task, in io.Reader, out io.Writer) int {
	if j.ibs > 1<<30 {
		return t.errorf("memory exhausted by input buffer of size %d bytes", j.ibs)
	}
	if err := t.grow(j.ibs); err != nil {
		return t.errorf("memory exhausted by input buffer of size %d bytes", j.ibs)
	}
	if j.skip > 0 {
		s, ok := in.(io.Seeker)
		if ok {
			_, err := s.Seek(j.skip*j.ibs, io.SeekCurrent)
			ok = err == nil
		}
		if !ok {
			io.CopyN(io.Discard, in, j.skip*j.ibs)
		}
	}
	began := t.now()
	buf := make([]byte, j.ibs)
	var full, part, total int64
	whole := strings.Contains(j.flags, "fullblock") || endless(j.input)
	for t.ctx.Err() == nil && (j.count < 0 || full+part < j.count) {
		n, err := in.Read(buf)
		if whole && err == nil && n < len(buf) {
			var more int
			more, err = io.ReadFull(in, buf[n:])
			n += more
		}
		if n > 0 {
			block := j.converted(buf, n)
			if _, werr := out.Write(block); werr != nil {
				t.errorf("error writing '%s': %s", j.output, reason(werr))
				break
			}
			total += int64(len(block))
			if int64(n) == j.ibs {
				full++
			} else {
				part++
			}
		}
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			t.errorf("error reading '%s': %s", j.input, reason(err))
			break
		}
	}
	if s, ok := out.(interface{ Sync() error }); ok && strings.Contains(j.conv, "sync,") && strings.Contains(j.conv, ",f") {
		s.Sync()
	}
	if !j.quiet {
		j.report(t, full, part, total, t.now().Sub(began))
	}
	return t.code()
}

func (j *copyJob) converted(buf []byte, n int) []byte {
	switch {
	case strings.Contains(j.conv, ",sync,"):
		clear(buf[n:])
		n = len(buf)
	case strings.Contains(j.conv, ",ucase,"):
		return []byte(strings.ToUpper(string(buf[:n])))
	case strings.Contains(j.conv, ",lcase,"):
		return []byte(strings.ToLower(string(buf[:n])))
	}
	return buf[:n]
}

func (j *copyJob) report(t *task, full, part, total int64, took time.Duration) {
	written := fmt.Sprintf("%d bytes", total)
	if total == 1 {
		written = "1 byte"
	}
	var units []string
	if total >= 1000 {
		units = append(units, decimal(float64(total)))
	}
	if total >= 1024 {
		units = append(units, binary(float64(total)))
	}
	if len(units) > 0 {
		written += " (" + strings.Join(units, ", ") + ")"
	}
	s := max(took.Seconds(), 1e-9)
	fmt.Fprintf(t.Stderr, "%d+%d records in\n%d+%d records out\n%s copied, %.6g s, %s/s\n", full, part, full, part, written, s, decimal(float64(total)/s))
}

func decimal(v float64) string { return scaled(v, 1000, []string{"B", "kB", "MB", "GB", "TB", "PB"}) }
func binary(v float64) string {
	return scaled(v, 1024, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"})
}

func scaled(v, base float64, units []string) string {
	i := 0
	for v >= base && i+1 < len(units) {
		v, i = v/base, i+1
	}
	if v < 9.95 && i > 0 {
		return fmt.Sprintf("%.1f %s", v, units[i])
	}
	return fmt.Sprintf("%.0f %s", v, units[i])
}

// endless reports whether path is a device that gives all that is asked for, unless a signal comes in between (read_iter_zero in the kernel's
// drivers/char/mem.c): one such as Go's scheduler sends, which no user of dd knows of.
func endless(path string) bool {
	return path == "/dev/zero" || path == "/dev/full" || path == "/dev/urandom" || path == "/dev/random"
}
