package docker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// runFlags are the options that run and create share.
type runFlags struct {
	name, workdir, user, entrypoint, hostname, cidfile string
	pull                                               pullFlags
	env, envFiles, labels                              []string
	interactive, tty, detach                           bool
	attach                                             attachList
	attaching                                          attachFlags
	set                                                *pflag.FlagSet
	limits                                             limitFlags
	security                                           securityFlags
	storage                                            storageFlags
	lifecycle                                          lifecycleFlags
	log                                                logFlags
	runtime                                            runtimeFlags
	networking                                         networkingFlags
}

// flagGroup is a part of the options. apply is called after parsing and writes what they say into the two configs.
type flagGroup interface {
	register(*pflag.FlagSet)
	apply(*App, *ctypes.Config, *ctypes.HostConfig) error
}

func (f *runFlags) groups() []flagGroup {
	return []flagGroup{&f.limits, &f.security, &f.storage, &f.lifecycle, &f.log, &f.runtime, &f.networking}
}

func (f *runFlags) register(fl *pflag.FlagSet) {
	f.set = fl
	fl.SetInterspersed(false)
	fl.StringVar(&f.name, "name", "", "Assign a name to the container")
	fl.StringArrayVarP(&f.env, "env", "e", nil, "Set environment variables")
	fl.StringArrayVar(&f.envFiles, "env-file", nil, "Read in a file of environment variables")
	fl.StringArrayVarP(&f.labels, "label", "l", nil, "Set meta data on a container")
	fl.StringVarP(&f.workdir, "workdir", "w", "", "Working directory inside the container")
	fl.StringVarP(&f.user, "user", "u", "", "Username or UID (format: <name|uid>[:<group|gid>])")
	fl.BoolVarP(&f.interactive, "interactive", "i", false, "Keep STDIN open even if not attached")
	fl.BoolVarP(&f.tty, "tty", "t", false, "Allocate a pseudo-TTY")
	fl.VarP(&f.attach, "attach", "a", "Attach to STDIN, STDOUT or STDERR")
	fl.StringVar(&f.entrypoint, "entrypoint", "", "Overwrite the default ENTRYPOINT of the image")
	fl.StringVarP(&f.hostname, "hostname", "h", "", "Container host name")
	fl.StringVar(&f.cidfile, "cidfile", "", "Write the container ID to the file")
	f.pull.register(fl)
	for _, g := range f.groups() {
		g.register(fl)
	}
	fl.Bool("help", false, "Print usage")
	_ = fl.MarkHidden("help")
}

func (app *App) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Create and run a new container from an image",
		Args:  atLeast(1),
		RunE:  func(cmd *cobra.Command, args []string) error { return app.run(cmd.Context(), &f, args) },
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVarP(&f.detach, "detach", "d", false, "Run container in background and print container ID")
	f.attaching.register(cmd.Flags())
	f.attaching.registerProxy(cmd.Flags())
	return cmd
}

func (app *App) createCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "create [OPTIONS] IMAGE [COMMAND] [ARG...]",
		Short: "Create a new container",
		Args:  atLeast(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, id, err := app.create(cmd.Context(), &f, args, false)
			if err == nil {
				fmt.Fprintln(app.Out, id)
			}
			return err
		},
	}
	f.register(cmd.Flags())
	return cmd
}

// create makes the container, to be started next or not, and writes its id file.
func (app *App) create(ctx context.Context, f *runFlags, args []string, run bool) (*engine.Engine, string, error) {
	opts, err := app.createOptions(f, args)
	if err != nil {
		return nil, "", err
	}
	if f.cidfile != "" {
		if _, err := os.Lstat(app.path(f.cidfile)); err == nil {
			return nil, "", usagef("container ID file found, make sure the other container isn't running or delete %s", f.cidfile)
		}
	}
	e, err := app.engine(ctx)
	if err != nil {
		return nil, "", err
	}
	opts.Run = run
	if err := f.pull.first(ctx, app, e, opts.Image); err != nil {
		return nil, "", err
	}
	c, err := e.Containers.Create(ctx, opts)
	if image.IsNotFound(err) {
		if err = f.pull.missing(ctx, app, e, opts.Image, err); err == nil {
			c, err = e.Containers.Create(ctx, opts)
		}
	}
	if err != nil {
		return nil, "", err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(app.Err, "WARNING: %s\n", format.Clean(w))
	}
	if f.cidfile != "" {
		err = os.WriteFile(app.path(f.cidfile), []byte(c.ID), 0o644)
	}
	return e, c.ID, err
}

func (app *App) createOptions(f *runFlags, args []string) (container.CreateOptions, error) {
	if err := f.pull.check(); err != nil {
		return container.CreateOptions{}, err
	}
	cfg, err := app.config(f, args)
	if err != nil {
		return container.CreateOptions{}, err
	}
	host := ctypes.HostConfig{}
	for _, g := range f.groups() {
		if err := g.apply(app, &cfg, &host); err != nil {
			return container.CreateOptions{}, err
		}
	}
	networks, err := f.networking.endpoints()
	return container.CreateOptions{Name: f.name, Image: args[0], Config: cfg, HostConfig: host, Networks: networks}, err
}

func (app *App) config(f *runFlags, args []string) (ctypes.Config, error) {
	cfg := ctypes.Config{Image: args[0], Cmd: args[1:], Hostname: f.hostname, User: f.user, WorkingDir: f.workdir, Tty: f.tty,
		OpenStdin: f.interactive}
	if !f.detach {
		cfg.AttachStdin = f.interactive || f.attach.has("stdin")
		cfg.AttachStdout = len(f.attach) == 0 || f.attach.has("stdout")
		cfg.AttachStderr = len(f.attach) == 0 || f.attach.has("stderr")
		cfg.StdinOnce = cfg.OpenStdin && cfg.AttachStdin
	}
	if f.workdir != "" && !path.IsAbs(f.workdir) {
		return cfg, usagef("the working directory %q is invalid, it needs to be an absolute path", f.workdir)
	}
	if f.set.Changed("entrypoint") {
		cfg.Entrypoint = []string{f.entrypoint}
	}
	env, err := app.environment(f.env, f.envFiles)
	if err != nil {
		return cfg, err
	}
	cfg.Env = env
	cfg.Labels, err = pairs(f.labels)
	return cfg, err
}

// environment reads -e and --env-file: KEY=value, or KEY alone for the value that the user's own environment has.
func (app *App) environment(words, files []string) ([]string, error) {
	var env []string
	for _, name := range files {
		lines, err := readLines(app.path(name))
		if err != nil {
			return nil, usagef("%v", err)
		}
		words = append(lines, words...)
	}
	for _, w := range words {
		key, _, ok := strings.Cut(w, "=")
		if key == "" {
			return nil, usagef("invalid environment variable %q: expected KEY=value", w)
		}
		if ok {
			env = append(env, w)
		} else if v, there := app.Environ(key); there {
			env = append(env, key+"="+v)
		}
	}
	return env, nil
}

func readLines(name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if l := strings.TrimLeft(sc.Text(), " \t"); l != "" && !strings.HasPrefix(l, "#") {
			lines = append(lines, l)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return lines, nil
}

func (app *App) run(ctx context.Context, f *runFlags, args []string) error {
	keys, err := app.checkRun(f)
	if err != nil {
		return err
	}
	e, id, err := app.create(ctx, f, args, true)
	if err != nil {
		return err
	}
	if f.detach {
		if err := e.Containers.Start(ctx, id, container.StartOptions{}); err != nil {
			return app.startFailed(ctx, e, id, f.lifecycle.rm, err)
		}
		fmt.Fprintln(app.Out, id)
		return nil
	}
	a := f.attachment(keys)
	code, err := app.foreground(ctx, e, id, a, starting(e, id))
	detached := errors.Is(err, errDetached)
	if err != nil && !detached {
		return app.startFailed(ctx, e, id, f.lifecycle.rm, err)
	}
	if !a.stdout && !a.stderr { // it may have ended before its input was all read
		fmt.Fprintln(app.Out, id)
		code = 0
	}
	if detached {
		return nil
	}
	if f.lifecycle.rm {
		if err := e.Containers.Remove(ctx, id, true); err != nil {
			return err
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// attachment is what run connects.
func (f *runFlags) attachment(keys []byte) attachment {
	all := len(f.attach) == 0
	return attachment{stdin: f.interactive, stdout: all || f.attach.has("stdout"), stderr: all || f.attach.has("stderr"), tty: f.tty, keys: keys, signals: f.attaching.sigProxy}
}

// checkRun refuses what can't be run in the foreground, or on this terminal, with docker's words, and reads the detach keys.
func (app *App) checkRun(f *runFlags) ([]byte, error) {
	if f.detach && len(f.attach) > 0 {
		return nil, &exitError{125, usagef("conflicting options: cannot specify both --attach and --detach")}
	}
	if f.tty && f.interactive && !f.detach && app.Terminal == nil {
		return nil, &exitError{1, usagef("the input device is not a TTY")}
	}
	return detachKeys(f.attaching.keys)
}

// startFailed turns the reason why a container did not start into docker's exit code.
func (app *App) startFailed(ctx context.Context, e *engine.Engine, id string, rm bool, err error) error {
	if rm {
		_ = e.Containers.Remove(context.WithoutCancel(ctx), id, true)
	}
	return &exitError{startCode(err), err}
}

func startCode(err error) int {
	var cmdErr *driver.CommandError
	if asCommandError(err, &cmdErr) {
		return cmdErr.Code
	}
	return 125
}
