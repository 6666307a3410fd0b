package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
)

// wastedFiles are those of all layers, the largest first.
func (l *lens) wastedFiles() []image.HiddenFile {
	var list []image.HiddenFile
	for _, w := range l.Waste.Layers {
		for _, f := range w.Files {
			list = append(list, image.HiddenFile{Layer: w.Layer, WastedFile: f})
		}
	}
	slices.SortStableFunc(list, func(a, b image.HiddenFile) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return list
}

// printPath tells the life of one path.
func (l *lens) printPath(ctx context.Context) error {
	b, err := l.Biography(ctx, l.path)
	if err != nil {
		return err
	}
	if len(b.Life) == 0 && b.File == nil {
		return fmt.Errorf("no layer of image %s has the path %s", l.name, format.Clean(b.Path))
	}
	if l.json {
		return l.object(b)
	}
	l.line("%s", format.Clean(b.Path))
	for _, e := range b.Life {
		l.line("  layer %d  %s  %s", e.Layer.Number, mark(e.LensChange), format.Clean(lifeText(e.LensChange)))
		if e.Layer.CreatedBy != "" {
			l.line("            %s", l.short(e.Layer.CreatedBy, 100))
		}
	}
	l.line("\n%s", format.Clean(l.verdict(b)))
	return nil
}

// verdict says what a container sees, and what the archives hold besides.
func (l *lens) verdict(b image.Biography) string {
	text := "A container sees nothing there."
	if b.File != nil {
		text = fmt.Sprintf("What a container sees there comes from layer %d.", b.From)
		if b.From == 0 {
			text = "A container sees a folder there that no layer describes: it is there for what is in it."
		}
	}
	var held []string
	for _, n := range b.Copies {
		if n != b.From {
			held = append(held, fmt.Sprint(n))
		}
	}
	if len(held) > 0 {
		text += fmt.Sprintf(" The content is also in the archive of layer %s, out of sight but not gone: docker image cat %s %s --layer %s", strings.Join(held, " and "), l.name, b.Path, held[len(held)-1])
	}
	return text
}

// mark is a change's letter; that of an opaque folder is O beside it.
func mark(c image.LensChange) string {
	m := string(c.Mark)
	if m == "" {
		m = " "
	}
	if c.Opaque {
		return m + "O"
	}
	return m + " "
}

func lifeText(c image.LensChange) string {
	var text string
	switch c.Mark {
	case image.MarkAdded:
		text = "added: " + fileText(c.File)
	case image.MarkChanged:
		text = "changed: " + differences(c.Before, c.File)
	case image.MarkMetadata:
		text = "metadata changed: " + differences(c.Before, c.File)
		if c.File.Type == "file" {
			text += "; the layer holds a whole copy for it"
		}
	case image.MarkSame:
		text = "held once more, unchanged: " + fileText(c.File)
	case image.MarkDeleted:
		return goneText(c)
	}
	if c.Opaque {
		text = strings.TrimPrefix(text+"; made opaque: it hides all that the layers below have in it", "; ")
	}
	return text
}

func goneText(c image.LensChange) string {
	switch {
	case c.Before == nil:
		return "deleted by a whiteout, though no layer below has it"
	case c.How == "hidden":
		return "hidden: the folder " + c.By + " is opaque, and what the layers below have in it is out of sight"
	case c.How == "replaced":
		return "hidden: a file takes the place of the folder " + c.By
	case c.By != c.Path:
		return "deleted with its folder " + c.By + ", by a whiteout"
	}
	return "deleted by a whiteout; what was there stays in the archive below"
}

func fileText(f *image.LensFile) string {
	words := []string{f.Type}
	if f.Type == "file" {
		words = append(words, format.Size(f.Size))
	}
	if f.Mode != "" {
		words = append(words, "mode "+f.Mode)
	}
	words = append(words, fmt.Sprintf("owner %d:%d", f.UID, f.GID))
	if f.Link != "" {
		words = append(words, "-> "+f.Link)
	}
	if f.Device != "" {
		words = append(words, f.Device)
	}
	return strings.Join(words, ", ")
}

// differences are the properties that a change changed; content, if nothing else is known.
func differences(a, b *image.LensFile) string {
	var words []string
	add := func(what, x, y string) {
		if x != y {
			words = append(words, what+" "+x+" -> "+y)
		}
	}
	add("type", a.Type, b.Type)
	add("size", format.Size(a.Size), format.Size(b.Size))
	add("mode", a.Mode, b.Mode)
	add("owner", fmt.Sprintf("%d:%d", a.UID, a.GID), fmt.Sprintf("%d:%d", b.UID, b.GID))
	add("target", a.Link, b.Link)
	add("device", a.Device, b.Device)
	add("attributes", strings.Join(a.Xattrs, " "), strings.Join(b.Xattrs, " "))
	if len(words) == 0 && a.ModTime != nil && b.ModTime != nil && !a.ModTime.Equal(*b.ModTime) {
		words = append(words, "time")
	}
	if len(words) == 0 {
		return "content"
	}
	return strings.Join(words, ", ")
}

// printHidden lists what can be read out of the image though no container shows it.
func (l *lens) printHidden(ctx context.Context) error {
	list, err := l.Hidden(ctx)
	if err != nil {
		return err
	}
	if l.json {
		return l.object(list)
	}
	if len(list) == 0 {
		l.line("Nothing is hidden in the layers of %s: a container sees the content of every file in them.", l.name)
		return nil
	}
	l.line("%s in the layers of %s can be read by whoever has the image, though no container shows them:", format.Count(len(list), "file"), l.name)
	shown := list
	if l.top > 0 {
		shown = list[:min(l.top, len(list))]
	}
	for _, f := range shown {
		same := ""
		if f.Same {
			same = "; what is seen has the same content"
		}
		l.line("  layer %d  %9s  %s  (%s%s)", f.Layer.Number, format.Size(f.Bytes), format.Clean(f.Path), lostBy(f.How, f.By), same)
	}
	l.line("\nA layer never changes: to delete or overwrite a file in a later one hides it and leaves its bytes in the archive, which every push and save")
	l.line("carries along. A secret among them is no secret any more: replace it, and give it to the build with RUN --mount=type=secret.")
	first := shown[max(0, slices.IndexFunc(shown, func(f image.HiddenFile) bool { return !f.Same }))]
	l.line("To read one: docker image cat %s %s --layer %d", l.name, format.Clean(first.Path), first.Layer.Number)
	return nil
}

func (l *lens) object(v any) error {
	enc := json.NewEncoder(l.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	return enc.Encode(v)
}
