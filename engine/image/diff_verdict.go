package image

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Differs reports whether a container could tell the images apart: files or fields of the config differ or, if times count,
// a time. How files lie in layers doesn't count.
func (d Diff) Differs(times bool) bool {
	return len(d.Files)+len(d.Config) > 0 || times && d.Times() > 0
}

// Times counts the times that differ.
func (d Diff) Times() int { return len(d.FileTimes) + len(d.ConfigTimes) }

// Verdict says in one line how the images differ.
func (d Diff) Verdict() string {
	switch {
	case d.Same:
		return "identical: same config digest"
	case !d.Differs(true):
		return d.sameVerdict()
	case !d.Differs(false):
		return "same but for times (" + d.timesText() + ")"
	}
	var parts []string
	if n := len(d.Files); n > 0 {
		parts = append(parts, numbered(n, "file"))
	}
	if text := d.configText(); text != "" {
		parts = append(parts, text)
	}
	verdict := "different: " + strings.Join(parts, "; ")
	if len(d.Files) == 0 {
		verdict = "same files, different " + d.configText()
	}
	if d.Times() > 0 {
		verdict += "; and times"
	}
	return verdict
}

// sameVerdict is that of images that differ in nothing that is compared.
func (d Diff) sameVerdict() string {
	if d.Reencoded {
		return "same: the same layers and settings, in a config that is written differently"
	}
	return fmt.Sprintf("same: the same files and config, in layers that are cut or stored differently (%d shared, then %d and %d)", len(d.Shared),
		len(d.LayersA), len(d.LayersB))
}

// configText names the fields that differ, each once.
func (d Diff) configText() string {
	var names []string
	for _, f := range d.Config {
		if !slices.Contains(names, f.Field) {
			names = append(names, f.Field)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "config (" + strings.Join(names, ", ") + ")"
}

func (d Diff) timesText() string {
	var parts []string
	if n := len(d.FileTimes); n > 0 {
		parts = append(parts, "of "+numbered(n, "file"))
	}
	var created, steps int
	for _, f := range d.ConfigTimes {
		if f.Field == "History" {
			steps++
		} else {
			created++
		}
	}
	if created > 0 {
		parts = append(parts, "of the image")
	}
	if steps > 0 {
		parts = append(parts, "of "+numbered(steps, "step")+" of the history")
	}
	return strings.Join(parts, ", ")
}

func numbered(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Within is d without what is not about files at or below one of paths.
func (d Diff) Within(paths []string) Diff {
	inside := func(p string) bool {
		return slices.ContainsFunc(paths, func(top string) bool {
			top = path.Clean("/" + top)
			return p == top || top == "/" || strings.HasPrefix(p, top+"/")
		})
	}
	d.Config, d.ConfigTimes = []DiffField{}, []DiffField{}
	d.Files = slices.DeleteFunc(slices.Clone(d.Files), func(f DiffFile) bool { return !inside(f.Path) })
	d.FileTimes = slices.DeleteFunc(slices.Clone(d.FileTimes), func(m DiffMoment) bool { return !inside(m.Path) })
	return d
}
