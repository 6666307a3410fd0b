package docker

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine/build"
)

func isContextLs(args []string) bool {
	return len(args) >= 2 && len(args) <= 3 && args[0] == "context" && (args[1] == "ls" || args[1] == "list")
}

// contextLs lists what a build would send.
func (app *App) contextLs(ctx context.Context, f buildFlags, args []string) error {
	return usagef("not here yet")
}

// printDryRun says what a build would do.
func (app *App) printDryRun(res build.Result) {
	for _, s := range res.Build.Steps {
		fmt.Fprintln(app.Out, s.Text)
	}
}
