package docker

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/build"
)

func isContextLs(args []string) bool {
	return len(args) >= 2 && len(args) <= 3 && args[0] == "context" && (args[1] == "ls" || args[1] == "list")
}

// contextLs lists what a build would send, what it would leave out, and the line that decided.
func (app *App) contextLs(ctx context.Context, f buildFlags, args []string) error {
	dir := "."
	if len(args) > 0 {
		dir = args[0]
	}
	switch {
	case dir == "-" || strings.Contains(dir, "://"):
		return usagef("context ls lists a folder, not %q: fetch or unpack it first", dir)
	case f.format != "" && f.format != "table" && f.format != "json":
		return usagef("invalid --format %q: expected table or json", f.format)
	case f.sort != "path" && f.sort != "size":
		return usagef("invalid --sort %q: expected path or size", f.sort)
	}
	o := build.Options{ContextDir: app.path(dir)}
	if f.file != "" {
		o.Dockerfile = app.path(f.file)
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	list, err := e.Builder.Context(ctx, o)
	if err != nil {
		return err
	}
	if f.sort == "size" {
		bySize := func(a, b build.ContextName) int { return cmp.Compare(b.Size, a.Size) }
		slices.SortStableFunc(list.Sent, bySize)
		slices.SortStableFunc(list.Left, bySize)
	}
	out := bufio.NewWriter(app.Out)
	if err := printContext(out, list, f); err != nil {
		return err
	}
	return out.Flush()
}

func printContext(out io.Writer, list build.ContextListing, f buildFlags) error {
	names := list.Sent
	if f.ignored {
		names = list.Left
	}
	switch {
	case f.quiet:
		for _, n := range names {
			fmt.Fprintln(out, format.Clean(n.Path))
		}
		return nil
	case f.format == "json":
		if f.ignored {
			list.Sent = nil
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	if !f.ignored {
		if err := tableOf(out, "SENT", list.Sent); err != nil {
			return err
		}
	}
	if len(list.Left) > 0 {
		if !f.ignored {
			fmt.Fprintln(out)
		}
		if err := tableOf(out, "LEFT OUT", shortLeft(list.Left, f.ignored)); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n%s sent, %s; %s left out, %s\n", format.Count(list.Files, "file"), format.Size(list.Bytes), format.Count(list.LeftFiles, "file"), format.Size(list.LeftBytes))
	for _, r := range list.UnusedRules {
		fmt.Fprintf(out, "%s:%d: %s decides about nothing\n", format.Clean(r.File), r.Line, format.Clean(r.Pattern))
	}
	return nil
}

func tableOf(out io.Writer, title string, names []build.ContextName) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "SIZE\tMODE\t%s\tDECIDED BY\n", title)
	for _, n := range names {
		size, name := format.Size(n.Size), format.Clean(n.Path)
		switch n.Type {
		case "file":
		case "dir":
			size, name = "-", name+"/"
		case "symlink":
			size, name = "-", name+" -> "+format.Clean(n.Link)
		default:
			size, name = "-", name+" ("+n.Type+")"
		}
		by := "-"
		if r := n.Rule; r != nil {
			by = fmt.Sprintf("%s:%d: %s", format.Clean(r.File), r.Line, format.Clean(r.Pattern))
		}
		fmt.Fprintf(w, "%s\t%04o\t%s\t%s\n", size, n.Mode, name, by)
	}
	return w.Flush()
}

// shortLeft leaves out what lies in a folder that the same line left out, unless all is asked for.
func shortLeft(names []build.ContextName, all bool) []build.ContextName {
	if all {
		return names
	}
	by := map[string]build.IgnoreRule{}
	for _, n := range names {
		if n.Type == "dir" && n.Rule != nil {
			by[n.Path] = *n.Rule
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n build.ContextName) bool {
		i := strings.LastIndexByte(n.Path, '/')
		if i < 0 || n.Rule == nil {
			return false
		}
		above, ok := by[n.Path[:i]]
		return ok && above == *n.Rule
	})
}
