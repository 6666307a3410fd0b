package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (app *App) builderCommands() []command {
	return []command{
		{app.buildCommand, "build"},
		{app.builderPrune, ""},
	}
}

// buildxCommands are the same under the name by which many scripts call them.
func (app *App) buildxCommands() []command {
	return []command{{app.buildCommand, ""}, {app.builderPrune, ""}, {app.imagetools, ""}}
}

type buildFlags struct {
	provenance, sbom                                                   string
	file, target, progress, iidfile, metadata, platform, network, call string
	format, sort                                                       string
	tags, args, labels, hosts, secrets, ssh, allow, noCacheOf          []string
	outputs, cacheFrom, cacheTo                                        []string
	push, load, check, noCache, quiet, pull, dryRun, debug, step       bool
	ignored                                                            bool
	parallel                                                           int
}

func (app *App) buildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [OPTIONS] PATH | URL | -",
		Short: "Build an image from a Dockerfile",
		Long: `Build an image from a Dockerfile and a context: a folder, a git repository, an archive on standard input (-) or behind a URL.

Every step is looked up in the cache first; what has to be carried out says why. "docker build context ls PATH" lists what the context holds
and which line of .dockerignore left out the rest.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if isContextLs(args) {
				return nil
			}
			return exactly(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if isContextLs(args) {
				return app.contextLs(cmd.Context(), f, args[2:])
			}
			return app.build(cmd.Context(), f, args[0])
		},
	}
	app.buildFlags(cmd.Flags(), &f)
	return cmd
}

func (app *App) buildFlags(fl *pflag.FlagSet, f *buildFlags) {
	fl.StringVarP(&f.file, "file", "f", "", `Name of the Dockerfile (default: "PATH/Dockerfile")`)
	fl.StringArrayVarP(&f.tags, "tag", "t", nil, `Name and optionally a tag (format: "name:tag")`)
	fl.StringArrayVar(&f.args, "build-arg", nil, "Set build-time variables")
	fl.StringArrayVar(&f.labels, "label", nil, "Set metadata for the image")
	fl.StringVar(&f.target, "target", "", "Set the target build stage to build")
	fl.StringVar(&f.platform, "platform", "", "Set target platform for build")
	fl.BoolVar(&f.noCache, "no-cache", false, "Do not use cache when building the image")
	fl.StringArrayVar(&f.noCacheOf, "no-cache-filter", nil, "Do not cache specified stages")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress the build output and print image ID on success")
	fl.BoolVar(&f.pull, "pull", false, "Always attempt to pull all referenced images")
	fl.StringVar(&f.progress, "progress", "auto", `Set type of progress output ("auto", "plain", "tty", "quiet", "json", "rawjson")`)
	fl.StringVar(&f.iidfile, "iidfile", "", "Write the image ID to a file")
	fl.StringArrayVar(&f.secrets, "secret", nil, `Secret to expose to the build (format: "id=mysecret[,src=/local/secret|,env=NAME]")`)
	fl.StringArrayVar(&f.ssh, "ssh", nil, `SSH agent socket to expose to the build (format: "default|<id>[=<socket>]")`)
	fl.StringVar(&f.network, "network", "default", `Set the networking mode for the "RUN" instructions during build ("default", "none", "host")`)
	fl.StringArrayVar(&f.hosts, "add-host", nil, `Add a custom host-to-IP mapping (format: "host:ip")`)
	fl.StringArrayVar(&f.allow, "allow", nil, `Allow extra privileged entitlement ("network.host")`)
	fl.StringArrayVarP(&f.outputs, "output", "o", nil, `Output destination (format: "type=local,dest=path")`)
	fl.BoolVar(&f.push, "push", false, `Shorthand for "--output=type=registry"`)
	fl.BoolVar(&f.load, "load", false, `Shorthand for "--output=type=docker"`)
	fl.StringArrayVar(&f.cacheFrom, "cache-from", nil, `External cache sources (e.g., "user/app:cache", "type=local,src=path/to/dir")`)
	fl.StringArrayVar(&f.cacheTo, "cache-to", nil, `Cache export destinations (e.g., "user/app:cache", "type=local,dest=path/to/dir")`)
	fl.StringVar(&f.metadata, "metadata-file", "", "Write build result metadata to a file")
	fl.IntVar(&f.parallel, "parallel", 0, "Steps to carry out at once: 1 keeps the order of the file (default: by the machine)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "Carry nothing out: say which steps would come from the cache, which not, and why")
	fl.BoolVar(&f.ignored, "ignored", false, "With context ls: list only what is left out, all of it")
	fl.StringVar(&f.sort, "sort", "path", `With context ls: what to sort by ("path", "size": the largest first)`)
	fl.StringVar(&f.format, "format", "", `With --dry-run or context ls: how to print what is found ("table", "json")`)
	fl.BoolVar(&f.debug, "debug", false, "Open a shell in the container of a RUN that failed, as it left it")
	fl.StringVar(&f.call, "call", "build", `Set method for evaluating build ("build", "check", "outline", "targets"; after a comma "format=json")`)
	fl.BoolVar(&f.check, "check", false, `Shorthand for "--call=check"`)
	fl.BoolVar(&f.step, "step", false, "Stop before each instruction")
	fl.StringVar(&f.provenance, "provenance", "false", `Shorthand for "--attest=type=provenance" ("false": attestations are not made)`)
	fl.StringVar(&f.sbom, "sbom", "false", `Shorthand for "--attest=type=sbom" ("false": attestations are not made)`)
	for _, old := range []string{"rm", "force-rm", "compress"} { // of the classic builder: nothing is left, and nothing is sent
		fl.Bool(old, true, "")
		_ = fl.MarkHidden(old)
	}
}

func (app *App) build(ctx context.Context, f buildFlags, contextDir string) error {
	opts, err := app.buildOptions(f, contextDir)
	if err != nil {
		return err
	}
	if call, ok, err := parseCall(f.call, f.check); err != nil || ok {
		if err != nil {
			return err
		}
		return app.buildCheck(ctx, opts, call)
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	opts.Progress = app.progress(f, &kept)
	opts.Debugger = app.debugger(f)
	ctx, signalled := app.untilInterrupt(ctx)
	res, err := e.Builder.Build(ctx, opts)
	sig := signalled()
	if len(res.UnusedArgs) > 0 {
		res.Warnings = append(res.Warnings, fmt.Sprintf("One or more build-args %v were not consumed", res.UnusedArgs))
	}
	app.warnings(opts.Progress, res.Warnings)
	if err != nil {
		_, _ = app.Err.Write(kept.Bytes())
		if sig != 0 {
			return &exitError{128 + int(sig), &buildError{errors.New("the build was interrupted: what it had finished is in the cache")}}
		}
		if _, shown := opts.Progress.(build.Holder); !shown {
			app.lastOutput(err, f)
		}
		return &exitError{1, &buildError{err}}
	}
	if f.dryRun {
		return app.printDryRun(f, res)
	}
	app.summary(f, res)
	if showsSummary(f) {
		app.checked(ctx, e, opts)
	}
	return app.deliver(f, res)
}

// lastOutput repeats, below everything else, the last that a failed command wrote.
func (app *App) lastOutput(err error, f buildFlags) {
	failed := (*build.RunError)(nil)
	if !errors.As(err, &failed) || len(failed.Output) == 0 || f.quiet {
		return
	}
	fmt.Fprintf(app.Err, "------\n > %s:\n", failed.Step)
	for _, l := range build.LastLines(failed.Output, 20) {
		fmt.Fprintln(app.Err, l)
	}
	fmt.Fprintln(app.Err, "------")
}

// untilInterrupt gives a context that ends with the first signal that asks the command to end, so that it ends in good order. The
// returned function stops that and tells which signal came, or 0.
func (app *App) untilInterrupt(ctx context.Context) (context.Context, func() driver.Signal) {
	if app.Interrupts == nil {
		return ctx, func() driver.Signal { return 0 }
	}
	ctx, cancel := context.WithCancel(ctx)
	signals, stop := app.Interrupts()
	quit, got := make(chan struct{}), make(chan driver.Signal, 1)
	go func() {
		defer close(got)
		for {
			select {
			case sig := <-signals:
				if sig != sigUSR1 && sig != sigUSR2 {
					got <- sig
					cancel()
					return
				}
			case <-quit:
				return
			}
		}
	}()
	return ctx, func() driver.Signal {
		close(quit)
		sig := <-got
		stop()
		cancel()
		return sig
	}
}

// Signals that mean nothing to a build (signal(7), x86 and ARM).
const sigUSR1, sigUSR2 driver.Signal = 10, 12

// buildError is printed as the client's own error: docker's builder is not the daemon either.
type buildError struct{ err error }

func (e *buildError) Error() string { return e.err.Error() }
func (e *buildError) Unwrap() error { return e.err }
