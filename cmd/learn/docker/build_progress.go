package docker

import (
	"bytes"
	"fmt"
	"os"

	"github.com/learn-containers/learn/engine/build"
	"golang.org/x/term"
)

// progress chooses how a build is shown: a bar on a terminal, lines anywhere else.
func (app *App) progress(f buildFlags, kept *bytes.Buffer) build.Progress {
	file, _ := app.Err.(*os.File)
	onTerminal := file != nil && term.IsTerminal(int(file.Fd()))
	switch {
	case f.quiet || f.progress == "quiet" || f.dryRun:
		return build.NewPlain(kept)
	case f.progress == "rawjson":
		return build.NewRawJSON(app.Err)
	case f.progress == "json":
		return build.NewJSON(app.Err)
	case f.progress == "tty" || f.progress == "auto" && onTerminal && !app.Plain:
		return build.NewBar(app.Err, func() int { return columns(file) })
	}
	return build.NewPlain(app.Err)
}

// warnings tells what a build could do without, on the way its progress takes.
func (app *App) warnings(to build.Progress, texts []string) {
	w, ok := to.(build.Warner)
	for _, text := range texts {
		if ok {
			w.Warn(build.Warning{Short: text})
			continue
		}
		fmt.Fprintf(app.Err, "[Warning] %s\n", text)
	}
}

// columns is the width of the terminal f; docker's guess where there is none.
func columns(f *os.File) int {
	if f != nil {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
			return w
		}
	}
	return 80
}
