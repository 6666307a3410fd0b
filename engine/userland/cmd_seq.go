package userland

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

func runSeq(t *task, args []string) int {
	sep, width, format := "\n", false, ""
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' && strings.Trim(args[0][1:2], "0123456789.") != "" {
		switch {
		case args[0] == "-w":
			width, args = true, args[1:]
		case (args[0] == "-s" || args[0] == "-f") && len(args) > 1:
			if args[0] == "-s" {
				sep = args[1]
			} else {
				format = args[1]
			}
			args = args[2:]
		case strings.HasPrefix(args[0], "-s"):
			sep, args = args[0][2:], args[1:]
		default:
			return t.errorf("invalid option -- '%s'", args[0][1:])
		}
	}
	if len(args) == 0 || len(args) > 3 {
		return t.usage("[-w] [-s SEP] [-f FORMAT] [FIRST [STEP]] LAST")
	}
	numbers, places := []float64{}, 0
	for _, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil {
			return t.errorf("invalid floating point argument: '%s'", a)
		}
		if _, fraction, ok := strings.Cut(a, "."); ok {
			places = max(places, len(fraction))
		}
		numbers = append(numbers, v)
	}
	first, step, last := 1.0, 1.0, numbers[len(numbers)-1]
	if len(numbers) > 1 {
		first = numbers[0]
	}
	if len(numbers) > 2 {
		step = numbers[1]
	}
	if step == 0 {
		return t.errorf("invalid Zero increment value: '%s'", args[1])
	}
	form := func(v float64) string {
		if format != "" {
			return fmt.Sprintf(format, v)
		}
		return strconv.FormatFloat(v, 'f', places, 64)
	}
	pads := 0
	if width {
		pads = max(len(form(first)), len(form(last)))
	}
	return t.sequence(first, step, last, func(v float64) string { return pad(form(v), "0"+strconv.Itoa(pads)) }, sep)
}

// sequence prints numbers with sep between them and a newline after the last.
func (t *task) sequence(first, step, last float64, form func(float64) string, sep string) int {
	defer t.buffered()()
	for i := 0.0; ; i++ {
		v := first + i*step
		if step > 0 && v > last+step*1e-9 || step < 0 && v < last+step*1e-9 {
			if i > 0 {
				t.print("\n")
			}
			return 0
		}
		text := form(v)
		if i > 0 {
			text = sep + text
		}
		if _, err := io.WriteString(t.Stdout, text); err != nil {
			return 1
		}
	}
}
