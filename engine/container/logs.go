package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/jsonfile"
)

// LogOptions say which part of a log to show. The zero value shows all of it.
type LogOptions struct {
	Follow     bool
	Timestamps bool   // before each line, in RFC 3339 with nine digits
	Details    bool   // before each line, what --log-opt labels, env and tag have added
	Tail       string // how many of the last lines; "" or "all" for every one
	Since      string // RFC 3339, seconds since 1970, or a duration before now
	Until      string
}

const (
	followPause = 50 * time.Millisecond
	logTime     = "2006-01-02T15:04:05.000000000Z07:00"
	logBatch    = 128 << 10 // how much is written at a time, about
)

// Logs copies what the container wrote to its own standard output and error, from the oldest file of its log on. With Follow it goes on until
// the container ends or ctx does, over every rotation. What is no whole line, as a crash leaves it, is left out.
func (m *Manager) Logs(ctx context.Context, ref string, opts LogOptions, stdout, stderr io.Writer) error {
	c, err := m.Find(ctx, ref)
	if err != nil {
		return err
	}
	if c.Problem != nil {
		return c.Problem
	}
	if c.LogPath == "" {
		return invalid("configured logging driver does not support reading")
	}
	v, err := newLogView(opts, stdout, stderr, m.now())
	if err != nil {
		return err
	}
	return m.copyLog(ctx, c, v, opts)
}

func (m *Manager) copyLog(ctx context.Context, c *Container, v *logView, opts LogOptions) error {
	r, err := jsonfile.NewReader(c.LogPath)
	if err != nil {
		return fmt.Errorf("copy log of %s: %w", c.ID, err)
	}
	defer r.Close()
	if v.tail >= 0 {
		if err := r.Tail(v.tail); err != nil {
			return fmt.Errorf("copy log of %s: %w", c.ID, err)
		}
	}
	for {
		alive := opts.Follow && m.logGrows(ctx, c.ID) // asked first: what it wrote before it ended is read afterwards
		n, err := v.copyFrom(ctx, r)
		if errors.Is(err, errPastUntil) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("copy log of %s: %w", c.ID, err)
		}
		if !alive || ctx.Err() != nil || n == 0 && v.over(m.now()) {
			return ctx.Err()
		}
		if n == 0 {
			_ = driver.Sleep(ctx, m.runtime, followPause)
		}
	}
}

// logGrows reports whether the container may still write.
func (m *Manager) logGrows(ctx context.Context, id string) bool {
	c, err := m.Find(ctx, id)
	return err == nil && (c.State.Live() || c.State.Starting)
}

var errPastUntil = errors.New("past the end of what was asked for")

// logView filters entries, and gathers them to be written many at once.
type logView struct {
	stdout, stderr io.Writer
	stamps         bool
	details        bool
	tail           int // -1: all
	since, until   time.Time

	decoder jsonfile.Decoder
	entry   jsonfile.Entry
	out     []byte
	stream  string    // whose out is
	to      io.Writer // where it belongs
	stamp   []byte    // how at is written
	at      time.Time
}

func newLogView(opts LogOptions, stdout, stderr io.Writer, now time.Time) (*logView, error) {
	v := &logView{stdout: stdout, stderr: stderr, stamps: opts.Timestamps, details: opts.Details, tail: -1}
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

// over reports that nothing more can come that was asked for.
func (v *logView) over(now time.Time) bool { return !v.until.IsZero() && now.After(v.until) }

// copyFrom shows what there is now, and gives its length in the log.
func (v *logView) copyFrom(ctx context.Context, r *jsonfile.Reader) (int64, error) {
	var n int64
	for ctx.Err() == nil {
		lines, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			n += int64(len(lines))
			err = v.showAll(lines)
		}
		if err != nil {
			return n, errors.Join(err, v.flush())
		}
	}
	return n, v.flush()
}

func (v *logView) showAll(lines []byte) error {
	for len(lines) > 0 {
		n := bytes.IndexByte(lines, '\n') + 1
		if v.decoder.Decode(lines[:n], &v.entry) { // else it was torn by a crash
			if err := v.show(&v.entry); err != nil {
				return err
			}
		}
		lines = lines[n:]
	}
	return nil
}

func (v *logView) show(e *jsonfile.Entry) error {
	if e.Time.Before(v.since) {
		return nil
	}
	if !v.until.IsZero() && e.Time.After(v.until) {
		return errPastUntil
	}
	to := v.stdout
	if e.Stream == "stderr" {
		to = v.stderr
	}
	if to == nil {
		return nil
	}
	// What goes to two places keeps its order in a place that both are.
	if len(v.out) >= logBatch || e.Stream != v.stream {
		if err := v.flush(); err != nil {
			return err
		}
		v.stream, v.to = e.Stream, to
	}
	if v.stamps {
		v.appendStamp(e.Time)
	}
	if v.details {
		v.out = append(appendDetails(v.out, e.Attrs), ' ')
	}
	v.out = append(v.out, e.Log...)
	return nil
}

func (v *logView) appendStamp(t time.Time) {
	if len(v.stamp) == 0 || !t.Equal(v.at) {
		v.stamp, v.at = append(t.UTC().AppendFormat(v.stamp[:0], logTime), ' '), t
	}
	v.out = append(v.out, v.stamp...)
}

// appendDetails writes attributes as docker logs --details does.
func appendDetails(out []byte, attrs map[string]string) []byte {
	for i, k := range slices.Sorted(maps.Keys(attrs)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, url.QueryEscape(k)...), '='), url.QueryEscape(attrs[k])...)
	}
	return out
}

func (v *logView) flush() error {
	if len(v.out) == 0 {
		return nil
	}
	_, err := v.to.Write(v.out)
	v.out = v.out[:0]
	return err
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
