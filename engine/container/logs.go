package container

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver"
)

// LogOptions say which part of a log to show. The zero value shows all of it.
type LogOptions struct {
	Follow     bool
	Timestamps bool   // before each line, in RFC 3339 with nine digits
	Tail       string // how many of the last lines; "" or "all" for every one
	Since      string // RFC 3339, seconds since 1970, or a duration before now
	Until      string
}

const (
	followPause = 50 * time.Millisecond
	logTime     = "2006-01-02T15:04:05.000000000Z07:00"
)

// logEntry is one line of the log, in docker's json-file format.
type logEntry struct {
	Log    string    `json:"log"`
	Stream string    `json:"stream"`
	Time   time.Time `json:"time"`
}

// Logs copies what the container wrote to its own standard output and error. With Follow it goes on until the container ends
// or ctx does. A half-written last line is left out.
func (m *Manager) Logs(ctx context.Context, ref string, opts LogOptions, stdout, stderr io.Writer) error {
	c, err := m.Find(ctx, ref)
	if err != nil {
		return err
	}
	if c.Problem != nil {
		return c.Problem
	}
	if c.LogPath == "" {
		return invalid("configured logging driver does not support reading: %s", c.HostConfig.LogConfig.Type)
	}
	v, err := newLogView(opts, stdout, stderr, m.now())
	if err != nil {
		return err
	}
	return m.copyLog(ctx, c, v, opts)
}

func (m *Manager) copyLog(ctx context.Context, c *Container, v *logView, opts LogOptions) error {
	f, err := m.openLog(ctx, c, opts.Follow)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	offset, err := tailOffset(f, v.tail)
	if err != nil {
		return fmt.Errorf("read log of %s: %w", c.ID, err)
	}
	for {
		alive := opts.Follow && m.logGrows(ctx, c.ID) // asked first: what it wrote before it ended is read afterwards
		n, err := v.copyFrom(io.NewSectionReader(f, offset, 1<<62))
		offset += n
		if errors.Is(err, errPastUntil) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("copy log of %s: %w", c.ID, err)
		}
		if !alive || ctx.Err() != nil {
			return ctx.Err()
		}
		if n == 0 {
			_ = driver.Sleep(ctx, m.runtime, followPause)
		}
	}
}

// openLog opens the log. Before the first start there is none: a follower waits for it.
func (m *Manager) openLog(ctx context.Context, c *Container, follow bool) (*os.File, error) {
	for {
		alive := follow && m.logGrows(ctx, c.ID)
		f, err := os.Open(c.LogPath)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read log: %w", err)
		}
		if !alive || ctx.Err() != nil {
			return nil, nil
		}
		_ = driver.Sleep(ctx, m.runtime, followPause)
	}
}

// logGrows reports whether the container may still write.
func (m *Manager) logGrows(ctx context.Context, id string) bool {
	c, err := m.Find(ctx, id)
	return err == nil && (c.State.Live() || c.State.Starting)
}

var errPastUntil = errors.New("past the end of what was asked for")

// logView filters and writes entries.
type logView struct {
	stdout, stderr io.Writer
	stamps         bool
	tail           int // -1: all
	since, until   time.Time
}

func newLogView(opts LogOptions, stdout, stderr io.Writer, now time.Time) (*logView, error) {
	v := &logView{stdout: stdout, stderr: stderr, stamps: opts.Timestamps, tail: -1}
	var err error
	if opts.Tail != "" && opts.Tail != "all" {
		n, err := strconv.Atoi(opts.Tail)
		if err != nil {
			return nil, invalid("invalid value for --tail: %q: expected a number or all", opts.Tail)
		}
		v.tail = max(n, -1)
	}
	if v.since, err = ParseTime(opts.Since, now); err != nil {
		return nil, invalid("invalid value for \"since\": %v", err)
	}
	if v.until, err = ParseTime(opts.Until, now); err != nil {
		return nil, invalid("invalid value for \"until\": %v", err)
	}
	return v, nil
}

// copyFrom shows the whole lines of r and gives their length in bytes.
func (v *logView) copyFrom(r io.Reader) (int64, error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	var n int64
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return n, nil // what is not ended yet is left for the next time
		}
		if err != nil {
			return n, err
		}
		n += int64(len(line))
		var e logEntry
		if json.Unmarshal(line, &e) != nil {
			continue // torn by a crash
		}
		if err := v.show(e); err != nil {
			return n, err
		}
	}
}

func (v *logView) show(e logEntry) error {
	if e.Time.Before(v.since) {
		return nil
	}
	if !v.until.IsZero() && e.Time.After(v.until) {
		return errPastUntil
	}
	w := v.stdout
	if e.Stream == "stderr" {
		w = v.stderr
	}
	if w == nil {
		return nil
	}
	if v.stamps {
		e.Log = e.Time.UTC().Format(logTime) + " " + e.Log
	}
	_, err := io.WriteString(w, e.Log)
	return err
}

// tailOffset gives where the last n lines begin; -1 means all. A line that is not ended is not counted.
func tailOffset(f *os.File, n int) (int64, error) {
	if n < 0 {
		return 0, nil
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for pos := end; pos > 0; {
		size := min(pos, int64(len(buf)))
		pos -= size
		if _, err := f.ReadAt(buf[:size], pos); err != nil {
			return 0, err
		}
		for i := size - 1; i >= 0; i-- {
			if buf[i] != '\n' {
				continue
			}
			if n == 0 { // the end of the line before those that are wanted
				return pos + i + 1, nil
			}
			n--
		}
	}
	return 0, nil
}

// ParseTime reads a moment as docker's --since takes it: RFC 3339, with parts left out from the right, in local time if no
// zone is given; seconds since 1970 with an optional fraction; or a duration before now. Empty gives the zero time.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02Z07:00"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return parseUnix(s)
}

func parseUnix(s string) (time.Time, error) {
	whole, frac, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(frac) > 9 {
		return time.Time{}, fmt.Errorf("%q is no time: expected 2006-01-02T15:04:05Z, seconds since 1970 or a duration such as 10m", s)
	}
	nano, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time: its fraction is not a number", s)
	}
	return time.Unix(sec, int64(nano)), nil
}
