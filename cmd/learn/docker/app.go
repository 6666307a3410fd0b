// Package docker is docker's command line on our engine: its commands, flags, output and exit codes. It turns words into calls of the
// engine and results into text; it decides nothing about images or containers.
//
// It may run many times in one process (a lesson runs every line of a shell session through it), so nothing here is global and
// nothing touches the process's own working directory, environment or standard streams.
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/spf13/cobra"
)

// App is where a docker command runs: its engine, streams, folder and environment.
type App struct {
	// Open opens the engine; it is called only by commands that need one.
	Open    func(context.Context) (*engine.Engine, error)
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Dir     string // relative paths start here
	Environ func(string) (string, bool)
	// Interrupts delivers the signals that a foreground container is to be sent; nil for none.
	Interrupts func() (signals <-chan driver.Signal, stop func())
	// Die ends this process as the signal would, which Interrupts has delivered; nil where a command is no process.
	Die func(driver.Signal)
	// Terminal is the terminal that the user sits at, or nil.
	Terminal Terminal
	// Plain forbids progress bars and colour.
	Plain bool
	// Parallel is how many steps of a build are carried out at once unless a flag says it; 1 keeps their order, 0 leaves it to the builder.
	Parallel int

	eng *engine.Engine
}

// Terminal is the user's terminal, as far as an attached container needs it.
type Terminal interface {
	Size() (cols, rows uint16)
	Raw() (restore func(), err error)
	Resized() (changes <-chan struct{}, stop func())
}

// exitError ends a command with a code; without err nothing is printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError is a mistake in the command line itself, not something the engine says.
type usageError struct {
	msg  string
	flag bool // of a flag, for which docker has a code of its own
	see  bool // docker's hint then begins with another word
}

func (e *usageError) Error() string { return e.msg }

// clientError is what docker's client, not its engine, has to say: it is printed as it is.
type clientError struct {
	code int // 0 for 1
	msg  string
}

func (e *clientError) Error() string { return e.msg }

func usagef(format string, args ...any) error { return &usageError{msg: fmt.Sprintf(format, args...)} }

// Execute runs one command line, without the word docker, and returns its exit code.
func Execute(ctx context.Context, app *App, argv []string) int {
	word := ""
	if len(argv) > 0 {
		word = argv[0]
	}
	root := tree(app, word)
	root.SetArgs(argv)
	root.SetIn(app.In)
	root.SetOut(app.Out)
	root.SetErr(app.Err)
	ctx, end := trace.Step(ctx, vocab.Command, trace.Strings("argv", append([]string{"docker"}, argv...)))
	cmd, err := root.ExecuteContextC(ctx)
	code := app.report(cmd, err)
	end(nil, trace.Int("exit_code", int64(code)))
	return code
}

// report prints an error as docker does and chooses the exit code.
func (app *App) report(cmd *cobra.Command, err error) int {
	if err == nil {
		return 0
	}
	var exit *exitError
	if errors.As(err, &exit) && exit.err == nil {
		return exit.code
	}
	var usage *usageError
	var built *buildError
	var host *container.HostError
	var client *clientError
	var template *format.TemplateError
	var filter *filterError
	var said *saidError
	code, prefix := 1, ""
	if cmd.Name() == "run" || cmd.Name() == "create" && errors.As(err, &usage) {
		code, prefix = 125, "docker: " // so that it can't be taken for the container's own code
	}
	if exit != nil {
		code = exit.code
	}
	switch {
	case errors.As(err, &built):
		fmt.Fprintf(app.Err, "ERROR: %s\n", err)
	case errors.As(err, &said):
		fmt.Fprintln(app.Err, said)
	case errors.As(err, &host), errors.As(err, &template):
		fmt.Fprintln(app.Err, format.Clean(err.Error()))
	case errors.As(err, &filter):
		fmt.Fprintf(app.Err, "Error response from daemon: %s\n", format.Clean(err.Error()))
	case errors.As(err, &client):
		fmt.Fprintln(app.Err, client.msg)
		code = max(code, client.code)
	case errors.As(err, &usage) && usage.flag:
		code = 125
		fmt.Fprintf(app.Err, "%s%s\n\nUsage:  %s\n\n%s\n", prefix, err, cmd.UseLine(), hint(cmd))
	case errors.As(err, &usage) && usage.see:
		fmt.Fprintf(app.Err, "%s%s\n\nSee%s\n", prefix, err, strings.TrimPrefix(hint(cmd), "Run"))
	case errors.As(err, &usage):
		fmt.Fprintf(app.Err, "%s%s\n\n%s\n", prefix, err, hint(cmd))
	default:
		from := "Error response from daemon"
		if app.eng == nil {
			from = "learn"
		}
		fmt.Fprintf(app.Err, "%s%s: %s\n", prefix, from, err)
		if r := Remedy(err); r != "" {
			fmt.Fprintf(app.Err, "What to do: %s.\n", r)
		}
		if prefix != "" {
			fmt.Fprintf(app.Err, "\n%s\n", hint(cmd))
		}
	}
	return code
}

func hint(cmd *cobra.Command) string {
	return fmt.Sprintf("Run '%s --help' for more information", cmd.CommandPath())
}

// engine opens the engine once per command line.
func (app *App) engine(ctx context.Context) (*engine.Engine, error) {
	if app.eng != nil {
		return app.eng, nil
	}
	e, err := app.Open(ctx)
	if err != nil {
		return nil, err
	}
	app.eng = e
	return e, nil
}

// path makes a path that the user typed absolute.
func (app *App) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(app.Dir, p)
}

// tree builds docker's commands. Where word is a verb at the top level, that one alone is made: a hundred others and their flags
// would cost a short command more than its own work.
func tree(app *App, word string) *cobra.Command {
	root := rootCommand()
	groups := []group{
		{"container", "Manage containers", app.containerCommands()},
		{"image", "Manage images", app.imageCommands()},
		{"builder", "Manage builds", app.builderCommands()},
		{"buildx", "Manage builds, by another name", app.buildxCommands()},
		{"manifest", "Look at manifests in registries", app.manifestCommands()},
		{"system", "Manage the engine", app.systemCommands()},
		{"network", "Manage networks", app.networkCommands()},
		{"volume", "Manage volumes", app.volumeCommands()},
	}
	for _, g := range groups {
		if i := slices.IndexFunc(g.commands, func(c command) bool { return c.top != "" && c.top == word }); i >= 0 {
			root.AddCommand(g.commands[i].atTop())
			return root
		}
	}
	for _, g := range groups {
		g.addTo(root)
	}
	root.AddCommand(app.inspect(), app.versionCommand(), app.loginCommand(), app.logoutCommand(), app.searchCommand())
	return root
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "docker [OPTIONS] COMMAND",
		Short:         "Docker's commands on the engine of learn",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("docker: unknown command: docker %s", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{msg: err.Error(), flag: true} })
	return root
}

// command is one verb: under its noun always, and at the top level where docker has it there too, maybe under another name.
type command struct {
	make func() *cobra.Command
	top  string // name at the top level; empty if it is only under the noun
}

// atTop makes the verb as it is without its noun.
func (c command) atTop() *cobra.Command {
	top := c.make()
	top.DisableFlagsInUseLine = true
	_, rest, _ := strings.Cut(top.Use, " ")
	top.Use = strings.TrimSpace(c.top + " " + rest)
	top.Aliases = nil
	return top
}

// group is a noun with its verbs.
type group struct {
	noun, short string
	commands    []command
}

func (g group) addTo(root *cobra.Command) {
	noun := &cobra.Command{Use: g.noun, Short: g.short, Args: unknownVerb, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	for _, c := range g.commands {
		verb := c.make()
		verb.DisableFlagsInUseLine = true
		noun.AddCommand(verb)
		if c.top != "" {
			root.AddCommand(c.atTop())
		}
	}
	root.AddCommand(noun)
}

func unknownVerb(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("docker: unknown command: %s %s", cmd.CommandPath(), args[0])
	}
	return nil
}

// exactly, atLeast and atMost check the number of arguments with docker's words.
func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return arguments(cmd, "requires %d argument%s", n)
	}
}

func atLeast(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= n {
			return nil
		}
		err := arguments(cmd, "requires at least %d argument%s", n)
		err.see = true
		return err
	}
}

func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) <= n {
			return nil
		}
		return arguments(cmd, "requires at most %d argument%s", n)
	}
}

func arguments(cmd *cobra.Command, format string, n int) *usageError {
	s := "s"
	if n == 1 {
		s = ""
	}
	return &usageError{msg: fmt.Sprintf("docker: '%s' "+format+"\n\nUsage:  %s", cmd.CommandPath(), n, s, cmd.UseLine())}
}

// each runs f for every name, goes on after an error, and prints the names that went well, as docker does.
func (app *App) each(names []string, f func(name string) error) error {
	var failed bool
	for _, n := range names {
		if err := f(n); err != nil {
			fmt.Fprintf(app.Err, "Error response from daemon: %v\n", err)
			failed = true
			continue
		}
		fmt.Fprintln(app.Out, n)
	}
	if failed {
		return &exitError{code: 1}
	}
	return nil
}
