package userland

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func runDate(t *task, args []string) int {
	o, ok := t.options(args, "ud:r:RI", "utc=u universal=u date=d reference=r rfc-email=R iso-8601=I")
	if !ok {
		return 1
	}
	at := t.now()
	if zone := t.env("TZ"); zone != "" {
		if loc, err := time.LoadLocation(zone); err == nil {
			at = at.In(loc)
		}
	}
	if s, ok := o.value('d'); ok {
		var err error
		if at, err = parseDate(s, at); err != nil {
			return t.errorf("%s", err)
		}
	}
	if ref, ok := o.value('r'); ok {
		info, err := t.stat(ref)
		if err != nil {
			return t.fail(ref, err)
		}
		at = info.ModTime()
	}
	if o.has('u') {
		at = at.UTC()
	}
	format := "%a %b %e %H:%M:%S %Z %Y"
	switch {
	case o.has('R'):
		format = "%a, %d %b %Y %H:%M:%S %z"
	case o.has('I'):
		format = map[string]string{"seconds": "%Y-%m-%dT%H:%M:%S%:z"}[firstValue(o, 'I')]
		if format == "" {
			format = "%Y-%m-%d"
		}
	}
	if len(o.args) > 0 {
		if !strings.HasPrefix(o.args[0], "+") {
			return t.errorf("invalid date '%s'", o.args[0])
		}
		format = o.args[0][1:]
	}
	t.print(strftime(format, at) + "\n")
	return 0
}

func firstValue(o opts, letter byte) string {
	v, _ := o.value(letter)
	return v
}

// strftime writes a time by the format of strftime(3), with GNU's %N, %s, %- and %:z.
func strftime(format string, at time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		trim, width := false, ""
		for i < len(format)-1 && (strings.IndexByte("-_0", format[i]) >= 0 || format[i] >= '1' && format[i] <= '9') {
			trim = trim || format[i] == '-'
			width += strings.Trim(format[i:i+1], "-_")
			i++
		}
		text := dateField(format[i], at)
		switch {
		case format[i] == ':' && i+1 < len(format) && format[i+1] == 'z':
			i++
			text = at.Format("-07:00")
		case format[i] == 'N' && width != "":
			text = text[:min(len(text), max(1, int(number(width))))]
		case trim:
			if text = strings.TrimLeft(text, "0 "); text == "" {
				text = "0"
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

func dateField(c byte, at time.Time) string {
	if layout, ok := map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'd': "02", 'D': "01/02/06", 'e': "_2",
		'F': "2006-01-02", 'H': "15", 'I': "03", 'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'R': "15:04", 'r': "03:04:05 PM", 'S': "05",
		'T': "15:04:05", 'X': "15:04:05", 'x': "01/02/06", 'y': "06", 'Y': "2006", 'z': "-0700", 'Z': "MST", 'c': "Mon Jan _2 15:04:05 2006"}[c]; ok {
		return at.Format(layout)
	}
	switch c {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 's':
		return strconv.FormatInt(at.Unix(), 10)
	case 'N':
		return fmt.Sprintf("%09d", at.Nanosecond())
	case 'u':
		return strconv.Itoa((int(at.Weekday())+6)%7 + 1)
	case 'w':
		return strconv.Itoa(int(at.Weekday()))
	case 'C':
		return fmt.Sprintf("%02d", at.Year()/100)
	case 'k':
		return fmt.Sprintf("%2d", at.Hour())
	case 'V', 'G':
		year, week := at.ISOWeek()
		if c == 'G' {
			return strconv.Itoa(year)
		}
		return fmt.Sprintf("%02d", week)
	}
	return "%" + string(c)
}

// parseDate reads @seconds, the usual forms, and "now", "yesterday", "3 days ago", "+2 hours".
func parseDate(s string, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if seconds, ok := strings.CutPrefix(s, "@"); ok {
		f, err := strconv.ParseFloat(seconds, 64)
		if err != nil {
			return now, fmt.Errorf("invalid date '%s'", s)
		}
		return time.Unix(int64(f), int64((f-float64(int64(f)))*1e9)).In(now.Location()), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05.999999999 -0700", "2006-01-02 15:04:05 MST",
		"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02", "20060102", "01/02/2006", "Jan 2 2006", "2 Jan 2006", "Mon Jan 2 15:04:05 MST 2006",
		"Mon, 02 Jan 2006 15:04:05 -0700", "Mon, 02 Jan 2006 15:04:05 MST"} {
		if at, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return at, nil
		}
	}
	if at, err := time.ParseInLocation("15:04", s, now.Location()); err == nil {
		return time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location()), nil
	}
	return relativeDate(s, now)
}

func relativeDate(s string, now time.Time) (time.Time, error) {
	words := strings.Fields(strings.ToLower(s))
	sign := 1
	if n := len(words); n > 0 && words[n-1] == "ago" {
		sign, words = -1, words[:n-1]
	}
	at := now
	for i := 0; i < len(words); i++ {
		switch words[i] {
		case "now", "today":
			continue
		case "yesterday":
			at = at.AddDate(0, 0, -1)
			continue
		case "tomorrow":
			at = at.AddDate(0, 0, 1)
			continue
		}
		n, err := strconv.Atoi(words[i])
		if err != nil || i+1 == len(words) {
			return now, fmt.Errorf("invalid date '%s'", s)
		}
		i++
		n *= sign
		switch strings.TrimSuffix(words[i], "s") {
		case "sec", "second":
			at = at.Add(time.Duration(n) * time.Second)
		case "min", "minute":
			at = at.Add(time.Duration(n) * time.Minute)
		case "hour":
			at = at.Add(time.Duration(n) * time.Hour)
		case "day":
			at = at.AddDate(0, 0, n)
		case "week":
			at = at.AddDate(0, 0, 7*n)
		case "month":
			at = at.AddDate(0, n, 0)
		case "year":
			at = at.AddDate(n, 0, 0)
		default:
			return now, fmt.Errorf("invalid date '%s'", s)
		}
	}
	return at, nil
}

// parseStamp reads touch -t's [[CC]YY]MMDDhhmm[.ss].
func parseStamp(s string, now time.Time) (time.Time, error) {
	digits, sec, _ := strings.Cut(s, ".")
	layout := map[int]string{8: "01021504", 10: "0601021504", 12: "200601021504"}[len(digits)]
	if layout != "" && sec != "" {
		layout, digits = layout+"05", digits+sec
	}
	at, err := time.ParseInLocation(layout, digits, now.Location())
	if err != nil || layout == "" {
		return now, fmt.Errorf("invalid date format '%s'", s)
	}
	if len(s) == 8 || at.Year() == 0 {
		at = at.AddDate(now.Year()-at.Year(), 0, 0)
	}
	return at, nil
}
