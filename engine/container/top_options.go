package container

import (
	"slices"
	"strings"
)

// The lists of columns that ps has names for, as a list for -o. A title after = is shown instead of the column's own.
const (
	psFull  = "user=UID,pid,ppid,c,stime,tname,time,cmd"
	psUser  = "user,pid,%cpu,%mem,vsz,rss,tname,stat,bsdstart,bsdtime,args"
	psShort = "pid,tname,time,ucmd"
	psBSD   = "pid,tname,stat,bsdtime,args"
	psJobs  = "pid,pgid,sid,tname,time,ucmd"
)

// psColumns reads the options of ps as far as they say which columns there are. Which processes there are is settled: the container's.
func psColumns(options []string) ([]psColumn, error) {
	if len(options) == 0 {
		return parseColumns(psFull)
	}
	r := psReader{rest: options}
	for len(r.rest) > 0 && r.err == nil {
		word := r.rest[0]
		r.rest = r.rest[1:]
		switch {
		case strings.HasPrefix(word, "--"):
			r.long(word)
		case len(word) > 1 && word[0] == '-' && word != "-aux" && word != "-auxw" && word != "-auxww": // which ps takes for aux, too
			r.unix(word[1:])
		default:
			r.bsd(strings.TrimPrefix(word, "-"))
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if r.list == "" {
		r.list = r.format
	}
	if r.list == "" {
		r.list = psShort
	}
	columns, err := parseColumns(r.list)
	if err == nil && !slices.ContainsFunc(columns, func(c psColumn) bool { return c.title == "PID" }) {
		err = invalid("Couldn't find PID field in ps output")
	}
	return columns, err
}

// psReader goes through the options.
type psReader struct {
	rest   []string
	format string // that an option has a name for
	list   string // of -o; it wins
	err    error
}

func (r *psReader) long(word string) {
	name, value, given := strings.Cut(word, "=")
	switch {
	case name != "--format":
		r.refuse(word)
	case given:
		r.add(value)
	default:
		r.next(word)
	}
}

func (r *psReader) unix(letters string) {
	for i, c := range letters {
		switch c {
		case 'e', 'A', 'a', 'd', 'N', 'w': // which processes, and how wide a line
		case 'x':
			if r.format == "" {
				r.format = psBSD
			}
		case 'f':
			r.format = psFull
		case 'j':
			r.format = psJobs
		case 'o':
			r.value(letters[i+1:], "-o")
			return
		default:
			r.refuse("-" + letters)
			return
		}
	}
}

func (r *psReader) bsd(letters string) {
	for i, c := range letters {
		switch c {
		case 'a', 'x', 'g', 'w':
			if r.format == "" {
				r.format = psBSD
			}
		case 'u':
			r.format = psUser
		case 'o':
			r.value(letters[i+1:], "o")
			return
		default:
			r.refuse(letters)
			return
		}
	}
}

// value takes a list that stands right behind its option, or is the next word.
func (r *psReader) value(attached, option string) {
	if attached != "" {
		r.add(attached)
		return
	}
	r.next(option)
}

func (r *psReader) next(option string) {
	if len(r.rest) == 0 {
		r.err = invalid("ps: error: list of columns must follow %s", option)
		return
	}
	r.add(r.rest[0])
	r.rest = r.rest[1:]
}

func (r *psReader) add(list string) {
	if r.list != "" {
		list = r.list + "," + list
	}
	r.list = list
}

func (r *psReader) refuse(word string) {
	r.err = invalid("ps option %q is not known here: processes are listed without the machine's ps; use -ef, -ej, aux, or -o with names of columns such as pid,ppid,user,args", word)
}

// parseColumns reads a list of column names. The column of process ids keeps its title, as docker wants it.
func parseColumns(list string) ([]psColumn, error) {
	var columns []psColumn
	for list != "" {
		var word string
		word, list, _ = strings.Cut(list, ",")
		name, title, titled := strings.Cut(word, "=")
		col, ok := findColumn(name)
		switch {
		case !ok:
			return nil, invalid("ps: error: unknown user-defined format specifier %q", name)
		case titled && name == "pid":
			return nil, invalid("specifying %q is not allowed", word)
		case titled:
			col.title = title
		}
		columns = append(columns, col)
	}
	return columns, nil
}
