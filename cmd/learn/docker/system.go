package docker

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/learn-containers/learn/engine/container"
)

func (app *App) systemCommands() []command {
	return []command{
		{app.checkCommand, ""},
		{app.eventsCommand, "events"},
		{app.diskCommand, ""},
		{app.infoCommand, "info"},
		{app.systemPrune, ""},
	}
}

func (app *App) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Verify every blob, record, mount and reference, and say what was mended",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			if err := e.Sweep(cmd.Context()); err != nil {
				return err
			}
			problems, err := e.Check(cmd.Context())
			if err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintln(app.Out, p)
			}
			if len(problems) > 0 {
				return &exitError{1, fmt.Errorf("%d problem(s) in %s", len(problems), e.Home.Root())}
			}
			fmt.Fprintf(app.Out, "%s: everything verifies\n", e.Home.Root())
			return nil
		},
	}
}

func (app *App) infoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "info",
		Short: "Display engine-wide information",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			containers, err := e.Containers.List(cmd.Context(), true)
			if err != nil {
				return err
			}
			count := map[string]int{}
			for _, c := range containers {
				count[string(c.State.Status)]++
			}
			images, err := e.Images.List(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(app.Out, "Containers: %d\n Running: %d\n Paused: %d\n Stopped: %d\nImages: %d\nServer Version: %s\nDriver: %s (%s)\nPlugins:\n Volume: local\n Network: bridge host null\nRuntimes: %s\nDefault Runtime: %s\nRoot Dir: %s\n",
				len(containers), count["running"]+count["restarting"], count["paused"], len(containers)-count["running"]-count["paused"]-count["restarting"], len(images), Version(), e.Driver.Name, e.Driver.Reason,
				strings.Join(e.Containers.Runtimes(), " "), container.OwnRuntime, e.Home.Root())
			return nil
		},
	}
}

func (app *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  exactly(0),
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(app.Out, "learn %s %s/%s %s\n", Version(), runtime.GOOS, runtime.GOARCH, runtime.Version())
			return nil
		},
	}
}

// Version is the module's version as the Go tool recorded it, "devel" in a working copy.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
