package docker

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/image"
)

// The colours of dive.
const (
	sgrNone   = "\x1b[0m"
	sgrBold   = "\x1b[1m"
	sgrTurned = "\x1b[7m"
)

// frame is the whole screen: every line is put in its place and cleared first, so nothing of the frame before stays. Text of the image is cleaned.
func (v *viewer) frame() string {
	var b strings.Builder
	left := max(20, min(60, v.cols*2/5))
	height := max(1, v.rows-2) // besides the headings and the line of keys
	v.scroll(height)
	layers, tree := v.layerLines(height, left), v.treeLines(height)
	b.WriteString("\x1b[1;1H\x1b[2K" + v.heading("Layers", !v.inTree) + fmt.Sprintf("\x1b[1;%dH", left+2) + v.heading(fmt.Sprintf("Files at layer %d", v.layer), v.inTree))
	for i := range height {
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[2K", i+2)
		if i < len(layers) {
			b.WriteString(layers[i])
		}
		if i < len(tree) {
			fmt.Fprintf(&b, "\x1b[%d;%dH\x1b[K%s", i+2, left+2, tree[i])
		}
	}
	fmt.Fprintf(&b, "\x1b[%d;1H\x1b[2K%s", v.rows, cut("q leave  tab side  space fold  ^space all  "+v.filters(), v.cols))
	return b.String()
}

// scroll keeps the cursor in sight.
func (v *viewer) scroll(height int) {
	v.top = max(0, min(v.top, v.at), v.at-height+1)
}

func (v *viewer) heading(text string, active bool) string {
	if active {
		return sgrBold + "[" + text + "]" + sgrNone
	}
	return " " + text
}

func cut(s string, width int) string { return format.Ellipsis(s, max(1, width)) }

// layerLines are the layers, and below them what is to be said of the chosen one and of the image, as far as there is room.
func (v *viewer) layerLines(height, width int) []string {
	var list []string
	room := max(1, height-10)
	first := max(0, min(v.layer-1-room/2, len(v.lens.Layers)-room))
	for _, r := range v.lens.Layers[first:min(len(v.lens.Layers), first+room)] {
		text := cut(fmt.Sprintf("%3d %8s  %s", r.Number, format.Size(r.Size), format.Clean(strings.Join(strings.Fields(r.CreatedBy), " "))), width)
		if r.Number == v.layer {
			text = sgrTurned + text + sgrNone
		}
		list = append(list, text)
	}
	r, w := v.lens.Layers[v.layer-1], v.lens.Waste
	for _, text := range []string{"", "Digest " + format.ID(string(r.DiffID)),
		fmt.Sprintf("%d added, %d changed, %d metadata", r.Added, r.Changed, r.Metadata+r.Same), fmt.Sprintf("%d deleted", r.Deleted),
		fmt.Sprintf("%s of content, %s wasted", format.Size(r.Content), format.Size(r.Wasted)), "",
		fmt.Sprintf("Image: %s, efficiency %.2f %%", format.Size(w.Size), 100*w.Efficiency()), fmt.Sprintf("%s wasted", format.Size(w.Bytes))} {
		list = append(list, cut(text, width))
	}
	return list
}

// treeLines are those of the tree that are in sight.
func (v *viewer) treeLines(height int) []string {
	var list []string
	if len(v.lines) == 0 {
		return []string{"nothing to show: the filters hide all of it"}
	}
	for i := v.top; i < min(len(v.lines), v.top+height); i++ {
		t := v.lines[i]
		fold := ""
		if v.closed[t.node.Path] && len(t.node.Kids) > 0 {
			fold = " (+)"
		}
		text := mark(t.node.LensChange) + " " + row(t.node, strings.Repeat("  ", min(t.depth, 200))+name(t.node, false)+fold)
		list = append(list, v.paint(text, t.node, i == v.at && v.inTree))
	}
	return list
}

// paint gives a line the colour of its mark; the cursor's is turned round.
func (v *viewer) paint(text string, n *image.LensNode, cursor bool) string {
	colour := map[string]string{"added": "\x1b[32m", "removed": "\x1b[31m", "modified": "\x1b[33m"}[kindOf(n)]
	if !v.colour {
		colour = ""
	}
	if cursor {
		colour += sgrTurned
	}
	if colour == "" {
		return text
	}
	return colour + text + sgrNone
}
