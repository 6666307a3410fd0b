package narrate

import (
	"strings"

	"github.com/learn-containers/learn/trace"
)

// facts gives a phrase the attributes of one event, ready to be put in a sentence: nothing that it returns can harm
// a terminal.
type facts struct {
	e     trace.Event
	level Level
	names map[string]string // id of an image or container -> its name, where known
	used  func(key string)  // told of every attribute that is read; may be nil
}

func (f *facts) value(key string) trace.Value {
	if f.used != nil {
		f.used(key)
	}
	return f.e.Attr(key)
}

// limit is how many characters of one attribute are shown.
func (f *facts) limit() int {
	if f.level == Kernel {
		return 2000
	}
	return 160
}

// str is the text of a string attribute.
func (f *facts) str(key string) string { return shorten(Clean(f.value(key).Str()), f.limit()) }

// has reports whether a string attribute is not empty.
func (f *facts) has(key string) bool { return f.value(key).Str() != "" }

// path is a path; quoted when it holds a space.
func (f *facts) path(key string) string {
	p := f.str(key)
	if p == "" || strings.ContainsRune(p, ' ') {
		return `"` + p + `"`
	}
	return p
}

// source is a file name or what - stands for.
func (f *facts) source(key string) string {
	if f.value(key).Str() == "-" {
		return "standard input"
	}
	return f.path(key)
}

// dest is a file name or what - stands for.
func (f *facts) dest(key string) string {
	if f.value(key).Str() == "-" {
		return "standard output"
	}
	return f.path(key)
}

func (f *facts) num(key string) int64                     { return f.value(key).Int() }
func (f *facts) flag(key string) bool                     { return f.value(key).Bool() }
func (f *facts) number(key string) string                 { return Number(f.num(key)) }
func (f *facts) bytes(key string) string                  { return Bytes(f.num(key)) }
func (f *facts) digest(key string) string                 { return ShortDigest(f.value(key).Str()) }
func (f *facts) whole(key string) string                  { return f.str(key) }
func (f *facts) words(key string) string                  { return shorten(Words(f.value(key).List()), f.limit()) }
func (f *facts) count(key string, thing ...string) string { return Count(f.num(key), thing...) }

// plain is a number without commas, as process ids and inodes are written.
func (f *facts) plain(key string) string { return f.value(key).String() }

// blobPath is where the store keeps a blob.
func (f *facts) blobPath(key string) string { return strings.Replace(f.str(key), ":", "/", 1) }

// name is an image's name as docker shows it.
func (f *facts) name(key string) string {
	return shorten(Clean(familiar(f.value(key).Str())), f.limit())
}

// image names an image by its id and, if it is known, its name.
func (f *facts) image(key string) string {
	id := f.value(key).Str()
	if name := f.names[id]; name != "" {
		return Clean(name) + " (" + ShortID(id) + ")"
	}
	return ShortID(id)
}

// container names a container by its name, or by its id if the name is not known.
func (f *facts) container(key string) string {
	id := f.value(key).Str()
	if name := f.names[id]; name != "" {
		return Clean(name)
	}
	return ShortID(id)
}

// place says which writable layer a key means: that of a container if one has this id, else that of a build step.
func (f *facts) place(key string) string {
	id := f.value(key).Str()
	if name := f.names[id]; name != "" {
		return "container " + Clean(name)
	}
	return "writable layer " + ShortID(id)
}

// writable names a writable layer by what it belongs to.
func (f *facts) writable(key string) string {
	id := f.value(key).Str()
	if name := f.names[id]; name != "" {
		return "writable layer of container " + Clean(name)
	}
	return "writable layer " + ShortID(id)
}

// digests lists short digests.
func (f *facts) digests(key string) string {
	list := f.value(key).List()
	short := make([]string, len(list))
	for i, d := range list {
		short[i] = ShortDigest(d)
	}
	return shorten(strings.Join(short, ", "), f.limit())
}

// list lists words with commas.
func (f *facts) list(key string) string {
	return shorten(Clean(strings.Join(f.value(key).List(), ", ")), f.limit())
}
