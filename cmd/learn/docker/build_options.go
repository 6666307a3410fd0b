package docker

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/oci"
)

func (app *App) buildOptions(f buildFlags, contextDir string) (build.Options, error) {
	for name, value := range map[string]string{"provenance": f.provenance, "sbom": f.sbom} {
		if value != "false" && value != "" {
			return build.Options{}, usagef("--%s=%s: this builder makes no attestations: leave the flag out or give false", name, value)
		}
	}
	if !slices.Contains([]string{"auto", "plain", "tty", "quiet", "json", "rawjson"}, f.progress) {
		return build.Options{}, usagef("invalid --progress %q: expected auto, plain, tty, quiet, json or rawjson", f.progress)
	}
	opts := build.Options{NoCache: f.noCache, Target: f.target, MaxCache: app.cacheLimit()}
	if err := app.context(f, contextDir, &opts); err != nil {
		return opts, err
	}
	for _, t := range f.tags {
		ref, err := oci.ParseRef(t)
		if err != nil {
			return build.Options{}, usagef("invalid argument %q for \"-t, --tag\" flag: %v", t, err)
		}
		opts.Tags = append(opts.Tags, ref)
	}
	opts.Args = app.buildArgs(f.args)
	var err error
	if opts.Epoch, err = app.epoch(opts.Args); err != nil {
		return build.Options{}, err
	}
	if opts.Labels, err = pairs(f.labels); err != nil {
		return opts, err
	}
	if err := app.outputs(f, &opts); err != nil {
		return opts, err
	}
	return opts, app.runOptions(f, &opts)
}

// context says where the context and the Dockerfile come from. What is a folder counts as one, whatever it is called.
func (app *App) context(f buildFlags, word string, o *build.Options) error {
	kind, err := fetch.ClassifyContext(app.contextWord(word))
	if err != nil {
		return usagef("unable to prepare context: %v", err)
	}
	if kind != fetch.Local || f.file == "-" {
		o.From = &fetch.Spec{Word: app.contextWord(word), Dockerfile: f.file, Stdin: app.In, KeepGitDir: slices.Contains(f.args, "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1")}
		o.Source, o.Dockerfile = fetch.Redact(word), f.file
		if kind == fetch.Local {
			o.Source, o.ContextDir = "", app.path(word)
		}
		return nil
	}
	o.ContextDir = app.path(word)
	fi, err := os.Stat(o.ContextDir)
	if err != nil || !fi.IsDir() {
		return usagef("unable to prepare context: path %q not found or not a folder", word)
	}
	o.Dockerfile = filepath.Join(o.ContextDir, "Dockerfile")
	if f.file != "" {
		o.Dockerfile = app.path(f.file)
	}
	return nil
}

// contextWord is the word as the process sees it: a path starts in the folder of the command.
func (app *App) contextWord(word string) string {
	if fi, err := os.Stat(app.path(word)); err == nil && fi.IsDir() {
		return app.path(word)
	}
	return word
}

// runOptions reads what RUN steps get besides their tree.
func (app *App) runOptions(f buildFlags, o *build.Options) (err error) {
	if f.format != "" && f.format != "table" && f.format != "json" {
		return usagef("invalid --format %q: expected table or json", f.format)
	}
	if f.format != "" && !f.dryRun {
		return usagef("--format says how --dry-run prints: give --dry-run with it")
	}
	o.DryRun, o.NoCacheOf, o.Pull, o.Platform = f.dryRun, f.noCacheOf, f.pull, f.platform
	if o.Parallel = f.parallel; f.parallel < 0 {
		return usagef("invalid --parallel %d: expected 1 or more", f.parallel)
	}
	if o.Parallel == 0 {
		o.Parallel = app.Parallel
	}
	o.Offline = app.offline()
	if f.network != "default" && f.network != "none" && f.network != "host" {
		return usagef("invalid --network %q: expected default, none or host", f.network)
	}
	o.Network = f.network
	for _, a := range f.allow {
		if a != "network.host" {
			return usagef("invalid --allow %q: only network.host can be allowed, a step never gets more rights than a container has", a)
		}
		o.AllowNet = true
	}
	if o.Hosts, err = hosts(f.hosts); err != nil {
		return err
	}
	if o.Secrets, err = app.secrets(f.secrets); err != nil {
		return err
	}
	o.SSH, err = app.agents(f.ssh)
	return err
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

// madeAt is the date of an image that is made without a build: that of SOURCE_DATE_EPOCH, or zero for now.
func (app *App) madeAt() (time.Time, error) {
	t, err := app.epoch(map[string]*string{})
	if t == nil {
		return time.Time{}, err
	}
	return *t, nil
}

// defaultCache is what the layers of the build cache may take if LEARN_CACHE_SIZE says nothing else.
const defaultCache = 20 << 30

// cacheLimit reads LEARN_CACHE_SIZE; 0 is no limit. What can't be read counts as not said: a build must not fail for it.
func (app *App) cacheLimit() int64 {
	v, ok := app.Environ("LEARN_CACHE_SIZE")
	if !ok || v == "" {
		return defaultCache
	}
	n, err := units.RAMInBytes(v)
	if err != nil || n < 0 {
		return defaultCache
	}
	return n
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
