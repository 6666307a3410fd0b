package docker

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/image"
)

// confirm asks before something is removed for good, as docker's prune commands do. Only y is a yes.
func (app *App) confirm(force bool, warning string) (bool, error) {
	if force {
		return true, nil
	}
	fmt.Fprintf(app.Out, "%s\nAre you sure you want to continue? [y/N] ", warning)
	answer, err := bufio.NewReader(app.In).ReadString('\n')
	if err != nil && answer == "" {
		return false, nil
	}
	return strings.EqualFold(strings.TrimSpace(answer), "y"), nil
}

// collect removes what nothing refers to any more and returns the bytes set free.
func (app *App) collect(ctx context.Context, e *engine.Engine) (int64, error) {
	report, err := e.Images.Collect(ctx, image.Roots{})
	return report.FreedBytes, err
}
