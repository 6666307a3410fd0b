package docker

import "context"

func isContextLs(args []string) bool {
	return len(args) >= 2 && len(args) <= 3 && args[0] == "context" && (args[1] == "ls" || args[1] == "list")
}

// contextLs lists what a build would send.
func (app *App) contextLs(ctx context.Context, f buildFlags, args []string) error {
	return usagef("not here yet")
}
