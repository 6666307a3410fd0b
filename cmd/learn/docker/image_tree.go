package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
	"golang.org/x/term"
)

// treeRow is one line of docker images --tree: an image, or the one platform that is here of it.
type treeRow struct {
	names   []string // the last one stands beside the details
	id      string
	usage   string // both halves: the blobs, and the layers unpacked
	content string // the blobs alone
	used    bool
}

const (
	treeGap   = 3  // between columns
	treeWidth = 80 // where nobody knows the terminal's
)

// writeTree prints images as docker's tree does: each name on a line, and below it the platform, with what it takes unpacked and as blobs.
func (app *App) writeTree(ctx context.Context, e *engine.Engine, images []image.Image, all bool) error {
	uses, err := usesOf(ctx, e)
	if err != nil {
		return err
	}
	if !all {
		images = slices.DeleteFunc(images, func(img image.Image) bool { return len(img.Refs) == 0 && len(img.Digests) == 0 })
	}
	t := treeView{terminal: isTerminal(app.Out), width: app.columns()}
	for _, img := range images {
		whole, err := e.Images.Resolve(ctx, img.ID.String())
		if err != nil {
			whole = img
		}
		halves, err := e.Images.RoomOf([]image.Image{whole})
		if err != nil {
			return err
		}
		top := treeRow{names: refNames(img.Refs), id: img.ID.String(), usage: format.Size(halves.Blobs + halves.Unpacked), content: format.Size(halves.Blobs), used: uses(img) > 0}
		child := top
		child.id, child.names = img.Manifest.Digest.String(), []string{format.Clean(platformOf(whole))}
		t.tops, t.children = append(t.tops, top), append(t.children, child)
	}
	out := bufio.NewWriter(app.Out)
	t.write(out)
	return out.Flush()
}

// columns is the width of the terminal that output goes to, or docker's where it goes nowhere like that.
func (app *App) columns() int {
	if f, ok := app.Out.(*os.File); ok && isTerminal(f) {
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			return max(cols, 20)
		}
	}
	return treeWidth
}

func platformOf(img image.Image) string {
	p := img.Config.OS + "/" + img.Config.Architecture
	if img.Config.Variant != "" {
		p += "/" + img.Config.Variant
	}
	return p
}

// treeView lays the tree out. In a terminal it has docker's colours.
type treeView struct {
	tops, children []treeRow
	terminal       bool
	width          int
	columns        []treeColumn
}

type treeColumn struct {
	title string
	width int
	right bool
	value func(treeRow) string
}

func (t *treeView) write(w io.Writer) {
	fmt.Fprintln(w, t.paint("33", "WARNING: This is an experimental feature. The output may change and shouldn't be depended on."))
	t.legend(w)
	fmt.Fprintln(w)
	t.layOut()
	for i, c := range t.columns {
		if i > 0 {
			fmt.Fprint(w, strings.Repeat(" ", treeGap))
		}
		t.cell(w, c, "1", strings.ToUpper(c.title))
	}
	fmt.Fprintln(w)
	for i, top := range t.tops {
		t.image(w, top)
		child := t.children[i]
		t.cell(w, t.columns[0], "2", "└─ "+child.names[0])
		t.details(w, child)
		fmt.Fprint(w, "\n\n")
	}
}

func (t *treeView) legend(w io.Writer) {
	info, chip := " Info -> ", "U"
	if t.terminal {
		info, chip = "\x1b[30;106;1mi\x1b[0m \x1b[96mInfo → \x1b[0m", t.chip()
	}
	plain := utf8.RuneCountInString("i Info → ") + len("  U  In Use ") + 1
	if !t.terminal {
		plain = len(info) + len(" U In Use ")
	}
	fmt.Fprintf(w, "%s%s %s In Use \n", strings.Repeat(" ", max(t.width-plain, 0)), info, chip)
}

func (t *treeView) chip() string { return "\x1b[48;5;14m\x1b[38;5;0m U \x1b[0m" }

// layOut chooses the columns, and makes the first as narrow as what is in it, as docker does: columns that leave it too little room go.
func (t *treeView) layOut() {
	t.columns = []treeColumn{
		{title: "Image"},
		{title: "ID", width: 12, value: func(r treeRow) string { return format.ID(r.id) }},
		{title: "Disk usage", width: 10, right: true, value: func(r treeRow) string { return r.usage }},
		{title: "Content size", width: 12, right: true, value: func(r treeRow) string { return r.content }},
		{title: "Extra", width: 5, value: t.extra},
	}
	left := t.width
	for i, c := range t.columns[1:] {
		if left-c.width-treeGap < 12 {
			t.columns = t.columns[:i+1]
			break
		}
		left -= c.width + treeGap
	}
	widest := len("Image")
	for i := range t.tops {
		for _, n := range t.tops[i].names {
			widest = max(widest, utf8.RuneCountInString(n))
		}
		widest = max(widest, utf8.RuneCountInString("└─ "+t.children[i].names[0]))
	}
	t.columns[0].width = min(left, widest)
}

func (t *treeView) extra(r treeRow) string {
	if !slices.ContainsFunc(t.tops, func(r treeRow) bool { return r.used }) {
		return ""
	}
	switch {
	case r.used && t.terminal:
		return t.chip()
	case r.used:
		return "U"
	case t.terminal:
		return "   "
	}
	return " "
}

// image prints the names of one, the longest first, and beside the last its details.
func (t *treeView) image(w io.Writer, top treeRow) {
	names := slices.Clone(top.names)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	if len(names) == 0 {
		t.cell(w, t.columns[0], "2", "<untagged>")
	}
	for i, n := range names {
		if i < len(names)-1 {
			fmt.Fprintln(w, t.paint("34;1", format.Ellipsis(n, t.width)))
			continue
		}
		t.cell(w, t.columns[0], "34;1", n)
	}
	t.details(w, top)
	fmt.Fprintln(w)
}

func (t *treeView) details(w io.Writer, r treeRow) {
	for _, c := range t.columns[1:] {
		fmt.Fprint(w, strings.Repeat(" ", treeGap))
		text := c.value(r)
		if strings.Contains(text, "\x1b") { // the chip, which is three wide
			fmt.Fprint(w, text, strings.Repeat(" ", c.width-3))
			continue
		}
		t.cell(w, c, "", text)
	}
}

func (t *treeView) cell(w io.Writer, c treeColumn, colour, text string) {
	n := utf8.RuneCountInString(text)
	switch fill := strings.Repeat(" ", max(c.width-n, 0)); {
	case n > c.width:
		fmt.Fprint(w, t.paint(colour, format.Ellipsis(text, c.width)))
	case c.right:
		fmt.Fprint(w, fill, t.paint(colour, text))
	default:
		fmt.Fprint(w, t.paint(colour, text), fill)
	}
}

func (t *treeView) paint(colour, text string) string {
	if !t.terminal || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
