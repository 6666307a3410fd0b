package userland

import (
	"context"
	"path"
	"slices"
	"strings"
)

// program runs with its arguments (without its name) and returns its exit code.
type program func(t *task, args []string) int

// entry is one row of the table of programs.
type entry struct {
	name string
	run  program
	// process tells that a shell runs it as a process of its own even in the foreground, because it
	// runs long or is about processes.
	process bool
}

// table is every program. It is built on each call: nothing is done at process start.
func table() []entry {
	return slices.Concat(shellTable(), fileTable(), metaTable(), textTable(), processTable(), systemTable(), dataTable(), networkTable())
}

func shellTable() []entry {
	return []entry{{"sh", runShell, true}, {"bash", runShell, true}}
}

func lookup(name string) (entry, bool) {
	for _, part := range []func() []entry{shellTable, fileTable, metaTable, textTable, processTable, systemTable, dataTable, networkTable} {
		for _, e := range part() {
			if e.name == name {
				return e, true
			}
		}
	}
	return entry{}, false
}

// Names lists every program, sorted.
func Names() []string {
	var names []string
	for _, e := range table() {
		names = append(names, e.name)
	}
	slices.Sort(names)
	return names
}

// Run runs the program that the base name of argv[0] names and returns its exit code: 127 for a name that
// is not one of ours. It is to be called as the whole of a process. It returns when the program ends or ctx is cancelled and the program notices.
func Run(ctx context.Context, env Env, argv []string) int {
	if len(argv) == 0 {
		return 127
	}
	name := strings.TrimPrefix(path.Base(argv[0]), "-")
	t := &task{Env: env, ctx: ctx, name: name, main: true}
	e, ok := lookup(name)
	if !ok {
		t.errorf("applet not found")
		return 127
	}
	return e.run(t, argv[1:])
}

// Main is Run on the real machine, with the process's own streams, variables and folder.
func Main(argv []string) int {
	resetSignals()
	return Run(context.Background(), OS(), argv)
}
