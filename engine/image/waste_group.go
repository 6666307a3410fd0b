package image

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/engine/oci"
)

// WasteGroup is what one layer takes away, in one way, of what another holds in one folder.
type WasteGroup struct {
	Layer WasteLayer // that holds the files
	By    WasteLayer // that takes them away
	How   string     // as in WastedFile
	Path  string     // of the folder, or of the file if it is one
	Files int
	Bytes int64
}

// Groups gathers the files of all layers by the folder they are in, the most bytes first: of a folder that was deleted or
// hidden with all it had, that folder.
func (w Waste) Groups() []WasteGroup {
	var groups []WasteGroup
	for _, l := range w.Layers {
		groups = append(groups, l.groups()...)
	}
	slices.SortStableFunc(groups, func(a, b WasteGroup) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return groups
}

type groupKey struct {
	by        int
	how, path string
}

func (l LayerWaste) groups() []WasteGroup {
	at := map[groupKey]*WasteGroup{}
	last := map[groupKey]string{} // the path of a group's only file
	for _, f := range l.Files {
		folder := path.Dir(f.Path)
		if f.Cause != f.Path {
			folder = f.Cause
		}
		key := groupKey{f.By.Number, f.How, folder}
		if at[key] == nil {
			at[key] = &WasteGroup{Layer: l.Layer, By: f.By, How: f.How, Path: folder}
		}
		last[key] = f.Path
		at[key].Files++
		at[key].Bytes += f.Bytes
	}
	for key, g := range at {
		if up := enclosing(at, key); up != nil {
			up.Files += g.Files
			up.Bytes += g.Bytes
			delete(at, key)
		}
	}
	return finished(at, last)
}

// enclosing is the group of the uppermost folder above that of key; nil for none. The root is no folder that says anything.
func enclosing(at map[groupKey]*WasteGroup, key groupKey) *WasteGroup {
	var found *WasteGroup
	for dir := path.Dir(key.path); dir != "/"; dir = path.Dir(dir) {
		if g := at[groupKey{key.by, key.how, dir}]; g != nil {
			found = g
		}
	}
	return found
}

func finished(at map[groupKey]*WasteGroup, last map[groupKey]string) []WasteGroup {
	groups := make([]WasteGroup, 0, len(at))
	for key, g := range at {
		if g.Files == 1 {
			g.Path = last[key]
		}
		groups = append(groups, *g)
	}
	slices.SortFunc(groups, func(a, b WasteGroup) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Path, b.Path), cmp.Compare(a.By.Number, b.By.Number), strings.Compare(a.How, b.How))
	})
	return groups
}

// String says what is wasted, and how to mend it: "RUN apt-get update (layer 3) leaves 38MB in /var/lib/apt/lists that layer 5
// deletes: delete them in the same RUN". It holds text of the image, which a terminal must not get unescaped.
func (g WasteGroup) String() string {
	where, them := "in "+g.Path, "them"
	if g.Files == 1 {
		where, them = "of "+g.Path, "it"
	}
	text := fmt.Sprintf("%s leaves %s %s", g.Layer, units.HumanSizeWithPrecision(float64(g.Bytes), 3), where)
	if g.By.Number == g.Layer.Number {
		return text + " that its own archive replaces: pack " + them + " once"
	}
	text += fmt.Sprintf(" that layer %d ", g.By.Number)
	switch g.How {
	case hidOverwritten:
		return text + "overwrites: write " + them + " once, or change " + them + " in the instruction that writes " + them
	case hidDeleted:
		return text + "deletes: delete " + them + " in " + g.Layer.same()
	}
	return text + "hides: leave " + them + " out, or remove " + them + " in " + g.Layer.same()
}

// same is how to speak of the instruction that made the layer.
func (l WasteLayer) same() string {
	switch word := instructionWord(l.instruction()); word {
	case "RUN":
		return "the same RUN"
	case "COPY", "ADD":
		return "a RUN that fetches and uses what it needs, or don't " + word + " it"
	}
	return "the step that makes it"
}

// String names the layer: "RUN make (layer 3)".
func (l WasteLayer) String() string {
	text := l.instruction()
	if text == "" {
		return fmt.Sprintf("layer %d (%s)", l.Number, oci.ShortID(l.DiffID))
	}
	return fmt.Sprintf("%s (layer %d)", text, l.Number)
}

const maxInstruction = 60 // characters of a history line that names a layer

// instruction is the history line as the Dockerfile had it: without the shell and marks that builders add, in one line.
func (l WasteLayer) instruction() string {
	text := strings.Join(strings.Fields(l.CreatedBy), " ")
	text = strings.TrimSuffix(text, " # buildkit")
	if rest, ok := strings.CutPrefix(text, "/bin/sh -c #(nop) "); ok {
		text = strings.TrimSpace(rest)
	} else if rest, ok := strings.CutPrefix(text, "/bin/sh -c "); ok {
		text = "RUN " + rest
	}
	text = strings.Replace(text, "RUN /bin/sh -c ", "RUN ", 1)
	if r := []rune(text); len(r) > maxInstruction {
		text = string(r[:maxInstruction-3]) + "..."
	}
	return text
}

func instructionWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return strings.ToUpper(word)
}
