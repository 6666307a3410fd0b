package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (app *App) builderCommands() []command {
	return []command{
		{app.buildCommand, "build"},
		{app.builderPrune, ""},
	}
}

type buildFlags struct {
	file, target, progress, iidfile string
	tags, args, labels              []string
	noCache, quiet, pull            bool
}

func (app *App) buildCommand() *cobra.Command {
	var f buildFlags
	cmd := &cobra.Command{
		Use:   "build [OPTIONS] PATH",
		Short: "Build an image from a Dockerfile",
		Args:  exactly(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.build(cmd.Context(), f, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "file", "f", "", `Name of the Dockerfile (default: "PATH/Dockerfile")`)
	fl.StringArrayVarP(&f.tags, "tag", "t", nil, `Name and optionally a tag (format: "name:tag")`)
	fl.StringArrayVar(&f.args, "build-arg", nil, "Set build-time variables")
	fl.StringArrayVar(&f.labels, "label", nil, "Set metadata for the image")
	fl.StringVar(&f.target, "target", "", "Set the target build stage to build")
	fl.BoolVar(&f.noCache, "no-cache", false, "Do not use cache when building the image")
	fl.BoolVarP(&f.quiet, "quiet", "q", false, "Suppress the build output and print image ID on success")
	fl.BoolVar(&f.pull, "pull", false, "Always attempt to pull all referenced images")
	fl.StringVar(&f.progress, "progress", "auto", `Set type of progress output ("auto", "plain", "tty", "quiet")`)
	fl.StringVar(&f.iidfile, "iidfile", "", "Write the image ID to a file")
	return cmd
}

func (app *App) build(ctx context.Context, f buildFlags, contextDir string) error {
	opts, err := app.buildOptions(f, contextDir)
	if err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	opts.Progress = app.progress(f, &kept)
	ctx, signalled := app.untilInterrupt(ctx)
	res, err := e.Builder.Build(ctx, opts)
	sig := signalled()
	if err != nil {
		_, _ = app.Err.Write(kept.Bytes())
		if sig != 0 {
			return &exitError{128 + int(sig), &buildError{errors.New("the build was interrupted: what it had finished is in the cache")}}
		}
		return &exitError{1, &buildError{err}}
	}
	if len(res.UnusedArgs) > 0 {
		fmt.Fprintf(app.Err, "[Warning] One or more build-args %v were not consumed\n", res.UnusedArgs)
	}
	if f.quiet || f.progress == "quiet" {
		fmt.Fprintln(app.Out, res.Image.ID)
	}
	if f.iidfile != "" {
		return os.WriteFile(app.path(f.iidfile), []byte(res.Image.ID), 0o644)
	}
	return nil
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

func (app *App) buildOptions(f buildFlags, contextDir string) (build.Options, error) {
	if f.progress != "auto" && f.progress != "plain" && f.progress != "tty" && f.progress != "quiet" {
		return build.Options{}, usagef("invalid --progress %q: expected auto, plain, tty or quiet", f.progress)
	}
	if contextDir == "-" || strings.Contains(contextDir, "://") {
		return build.Options{}, usagef("the build context must be a folder, not %q", contextDir)
	}
	if f.file == "-" {
		return build.Options{}, usagef("the Dockerfile must be a file: write it to one and give its name with -f")
	}
	opts := build.Options{ContextDir: app.path(contextDir), NoCache: f.noCache, Target: f.target}
	fi, err := os.Stat(opts.ContextDir)
	if err != nil || !fi.IsDir() {
		return build.Options{}, usagef("unable to prepare context: path %q not found or not a folder", contextDir)
	}
	opts.Dockerfile = filepath.Join(opts.ContextDir, "Dockerfile")
	if f.file != "" {
		opts.Dockerfile = app.path(f.file)
	}
	for _, t := range f.tags {
		ref, err := oci.ParseRef(t)
		if err != nil {
			return build.Options{}, usagef("invalid argument %q for \"-t, --tag\" flag: %v", t, err)
		}
		opts.Tags = append(opts.Tags, ref)
	}
	opts.Args = app.buildArgs(f.args)
	if opts.Epoch, err = app.epoch(opts.Args); err != nil {
		return build.Options{}, err
	}
	opts.Labels, err = pairs(f.labels)
	return opts, err
}

// buildArgs reads --build-arg: one without a value takes it from the environment, or is left out.
func (app *App) buildArgs(words []string) map[string]*string {
	args := map[string]*string{}
	for _, a := range words {
		key, value, ok := strings.Cut(a, "=")
		if !ok {
			value, ok = app.Environ(key)
		}
		if ok {
			args[key] = &value
		}
	}
	return args
}

// sourceDateEpoch is the variable of the reproducible-builds project: the time that everything made by a build carries.
const sourceDateEpoch = "SOURCE_DATE_EPOCH"

// epoch reads the one time of a reproducible build from its build argument, or else from the environment, from where it becomes
// a build argument. It is nil if neither says one.
func (app *App) epoch(args map[string]*string) (*time.Time, error) {
	if _, given := args[sourceDateEpoch]; !given {
		if v, ok := app.Environ(sourceDateEpoch); ok {
			args[sourceDateEpoch] = &v
		}
	}
	v := args[sourceDateEpoch]
	if v == nil || *v == "" {
		return nil, nil
	}
	seconds, err := strconv.ParseInt(*v, 10, 64)
	if err != nil || seconds < 0 {
		return nil, usagef("invalid %s %q: give the seconds since 1970-01-01 00:00 UTC", sourceDateEpoch, *v)
	}
	t := time.Unix(seconds, 0).UTC()
	return &t, nil
}

// progress chooses how a build is shown: a bar on a terminal, lines anywhere else.
func (app *App) progress(f buildFlags, kept *bytes.Buffer) build.Progress {
	file, _ := app.Err.(*os.File)
	onTerminal := file != nil && term.IsTerminal(int(file.Fd()))
	switch {
	case f.quiet || f.progress == "quiet":
		return build.NewPlain(kept)
	case f.progress == "tty" || f.progress == "auto" && onTerminal && !app.Plain:
		return build.NewBar(app.Err, func() int { return columns(file) })
	}
	return build.NewPlain(app.Err)
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

func (app *App) builderPrune() *cobra.Command {
	var force, all bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove the build cache",
		Args:  exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ok, err := app.confirm(force, "WARNING! This will remove all build cache.")
			if err != nil || !ok {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return app.pruneCache(cmd.Context(), e)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Do not prompt for confirmation")
	cmd.Flags().BoolVarP(&all, "all", "a", false, "Remove all unused build cache")
	return cmd
}

// pairs reads KEY=VALUE words.
func pairs(words []string) (map[string]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(words))
	for _, w := range words {
		k, v, _ := strings.Cut(w, "=")
		if k == "" {
			return nil, usagef("invalid KEY=VALUE %q: the key is empty", w)
		}
		m[k] = v
	}
	return m, nil
}
