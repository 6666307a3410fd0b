package docker

import (
	"context"
	"io"
	"strings"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
)

// viewer is what is shown of the layers on a terminal: the layers on the left, the tree at the chosen one on the right. It changes by keys
// and is drawn as a whole.
type viewer struct {
	lens       *lens
	load       func(n int) (*image.LensNode, error)
	colour     bool
	cols, rows int

	layer   int // the chosen one, from 1
	inTree  bool
	root    *image.LensNode
	lines   []treeLine // those of the tree that are not folded away or filtered out
	at, top int        // the chosen line of the tree, and the first that is shown
	closed  map[string]bool
	hide    map[string]bool // kinds of files: added, removed, modified, unmodified
}

// treeLine is one path of the tree.
type treeLine struct {
	node  *image.LensNode
	depth int
}

// interactive shows the layers until the user leaves; the terminal is as before then, however it ended.
func (l *lens) interactive(ctx context.Context) error {
	if l.app.Terminal == nil || !isTerminal(l.app.Out) {
		return usagef("--interactive needs a terminal, for what is typed and for what is shown")
	}
	if len(l.Layers) == 0 {
		return usagef("image %s has no layers to go through", l.name)
	}
	v := &viewer{lens: l, colour: !l.app.Plain, closed: map[string]bool{}, hide: map[string]bool{}, layer: 1}
	v.load = func(n int) (*image.LensNode, error) { return l.Tree(ctx, n, true) }
	v.resize(l.app.Terminal.Size())
	if err := v.choose(len(l.Layers)); err != nil {
		return err
	}
	restore, err := l.app.Terminal.Raw()
	if err != nil {
		return err
	}
	defer restore()
	_, _ = io.WriteString(l.app.Out, "\x1b[?1049h\x1b[?25l\x1b[?7l") // another screen, no cursor, no wrapping
	defer func() { _, _ = io.WriteString(l.app.Out, "\x1b[?7h\x1b[?25h\x1b[?1049l") }()
	return v.run(ctx)
}

// run reads keys until one of them, the end of the input or a signal ends it.
func (v *viewer) run(ctx context.Context) error {
	app := v.lens.app
	changes, stopResizes := app.Terminal.Resized()
	defer stopResizes()
	var signals <-chan driver.Signal
	if app.Interrupts != nil {
		var stop func()
		signals, stop = app.Interrupts()
		defer stop()
	}
	keys, rest := newFeed(app.In), ""
	for {
		if _, err := io.WriteString(app.Out, v.frame()); err != nil {
			return err
		}
		select {
		case chunk, ok := <-keys.chunks:
			if !ok {
				return nil
			}
			var words []string
			words, rest = splitKeys(rest + string(chunk))
			for _, key := range words {
				if quit, err := v.key(key); quit || err != nil {
					return err
				}
			}
		case <-changes:
			v.resize(app.Terminal.Size())
		case sig := <-signals:
			return &exitError{code: 128 + int(sig)}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// splitKeys takes keys off the front of what was typed: characters, and the sequences of arrow and page keys. What may go on is the rest.
func splitKeys(typed string) (keys []string, rest string) {
	for typed != "" {
		n := 1
		if typed[0] == 0x1b {
			if n = sequence(typed); n == 0 {
				return keys, typed
			}
		}
		keys, typed = append(keys, typed[:n]), typed[n:]
	}
	return keys, ""
}

// sequence is how long the escape sequence is that typed begins with; 0 if it isn't whole.
func sequence(typed string) int {
	if len(typed) == 1 {
		return 0
	}
	if typed[1] == 'O' && len(typed) > 2 {
		return 3
	}
	if typed[1] != '[' && typed[1] != 'O' {
		return 1
	}
	for i := 2; i < len(typed); i++ {
		if typed[i] >= 0x40 && typed[i] <= 0x7e || i > 16 {
			return i + 1
		}
	}
	return 0
}

func (v *viewer) resize(cols, rows uint16) {
	v.cols, v.rows = int(cols), int(rows)
	if cols == 0 || rows == 0 {
		v.cols, v.rows = 80, 24
	}
}

// choose goes to another layer. What was folded stays folded.
func (v *viewer) choose(n int) error {
	if n < 1 || n > len(v.lens.Layers) {
		return nil
	}
	root, err := v.load(n)
	if err != nil {
		return err
	}
	v.layer, v.root, v.at, v.top = n, root, 0, 0
	v.flatten()
	return nil
}

// key does what a key means, by dive's keys. It reports that the user leaves.
func (v *viewer) key(key string) (quit bool, err error) {
	switch key {
	case "q", "\x03", "\x04":
		return true, nil
	case "\t":
		v.inTree = !v.inTree
	case "\x1b[A", "\x1bOA", "k":
		return false, v.move(-1)
	case "\x1b[B", "\x1bOB", "j":
		return false, v.move(1)
	case "\x1b[5~", "u":
		return false, v.move(-v.page())
	case "\x1b[6~", "d":
		return false, v.move(v.page())
	case "\x1b[D", "\x1bOD", "h":
		v.inTree = false
	case "\x1b[C", "\x1bOC", "l":
		v.inTree = true
	case " ":
		v.fold()
	case "\x00": // ctrl-space
		v.foldAll()
	case "\x01", "\x12", "\r", "\x15":
		kind := map[string]string{"\x01": "added", "\x12": "removed", "\r": "modified", "\x15": "unmodified"}[key]
		v.hide[kind] = !v.hide[kind]
		v.flatten()
	}
	return false, nil
}

func (v *viewer) page() int { return max(1, v.rows-4) }

func (v *viewer) move(by int) error {
	if !v.inTree {
		return v.choose(max(1, min(len(v.lens.Layers), v.layer+by)))
	}
	v.at = max(0, min(len(v.lines)-1, v.at+by))
	return nil
}

// fold opens or closes the folder at the cursor.
func (v *viewer) fold() {
	if v.inTree && v.at < len(v.lines) {
		p := v.lines[v.at].node.Path
		v.closed[p] = !v.closed[p]
		v.flatten()
	}
}

// foldAll closes all folders, or opens all if some are closed.
func (v *viewer) foldAll() {
	if len(v.closed) > 0 {
		v.closed = map[string]bool{}
	} else {
		v.closeAll(v.root)
	}
	v.flatten()
}

func (v *viewer) closeAll(n *image.LensNode) {
	for _, kid := range n.Kids {
		if len(kid.Kids) > 0 {
			v.closed[kid.Path] = true
			v.closeAll(kid)
		}
	}
}

// flatten makes the lines anew, and keeps the cursor among them.
func (v *viewer) flatten() {
	v.lines = v.lines[:0]
	for _, kid := range v.root.Kids {
		v.unfold(kid, 0)
	}
	v.at = max(0, min(v.at, len(v.lines)-1))
}

// unfold appends the lines of n. A folder that nothing is shown of, and that is of a hidden kind itself, is left out.
func (v *viewer) unfold(n *image.LensNode, depth int) {
	at := len(v.lines)
	v.lines = append(v.lines, treeLine{n, depth})
	if v.closed[n.Path] {
		if !v.anyShown(n) {
			v.lines = v.lines[:at]
		}
		return
	}
	for _, kid := range n.Kids {
		v.unfold(kid, depth+1)
	}
	if len(v.lines) == at+1 && v.hide[kindOf(n)] {
		v.lines = v.lines[:at]
	}
}

func (v *viewer) anyShown(n *image.LensNode) bool {
	if !v.hide[kindOf(n)] {
		return true
	}
	for _, kid := range n.Kids {
		if v.anyShown(kid) {
			return true
		}
	}
	return false
}

// kindOf is dive's word for what the layer did to a path.
func kindOf(n *image.LensNode) string {
	switch n.Mark {
	case image.MarkAdded:
		return "added"
	case image.MarkDeleted:
		return "removed"
	case image.MarkChanged, image.MarkMetadata:
		return "modified"
	}
	return "unmodified"
}

// filters names the kinds that are filtered out, with their keys.
func (v *viewer) filters() string {
	var words []string
	for _, f := range []struct{ key, kind string }{{"^A", "added"}, {"^R", "removed"}, {"^M", "modified"}, {"^U", "unmodified"}} {
		state := "+"
		if v.hide[f.kind] {
			state = "-"
		}
		words = append(words, f.key+" "+state+f.kind)
	}
	return strings.Join(words, "  ")
}
