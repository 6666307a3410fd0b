package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/network/reach"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

type whyFlags struct {
	builds, json, key, build bool
	from, name, port         string
}

// asksWay reports whether the question is how a container is reached.
func (f whyFlags) asksWay() bool { return f.from != "" || f.name != "" || f.port != "" }

func (s *session) whyCommand() *cobra.Command {
	var f whyFlags
	cmd := &cobra.Command{
		Use:   "why [CONTAINER|IMAGE|BUILD] [STEP]",
		Short: "Say why a container ended, or why the steps of a build hit or missed the cache",
		Long: `Say why a container ended or is as it is: its exit code, the signal that ended it and who sent that, memory that ran out, system calls that were
refused, a program or library that is missing, a stop that was not heeded.

Of a container that runs and has ports it says whether they can be reached, link by link: the port of this machine, the rule of the firewall, the
network, the program that listens. --from asks for another container instead of somebody outside, by the name that --name gives.

Or say for each step of a build whether its result came from the cache, and if not, what differed from the nearest earlier run: the file,
the word, the variable, the mount, the base image or the step below it. It also says what that took along, and what order of the
instructions would have kept the cache.

CONTAINER is a name or id; where an image has the same name, the container is meant, unless --build is given.
IMAGE is the name or id of an image that was built here: its latest build counts. BUILD is the id of a recorded build or the beginning of
one; last, or nothing, is the latest. STEP is a step's number in the list or the beginning of its instruction.`,
		Example: "  learn why web\n  learn why web --port 80\n  learn why db --from web\n  learn why\n  learn why shop 'COPY .' --key\n  learn why --builds",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.enterExercise(); err != nil {
				return err
			}
			e, err := s.open(cmd.Context(), s.home)
			if err != nil {
				return err
			}
			if f.builds {
				return s.listBuilds(e, f, args)
			}
			if f.asksWay() {
				return s.whyUnreached(cmd.Context(), e, f, args)
			}
			if len(args) == 1 && args[0] != "last" && !f.build && !f.key {
				w, err := e.Containers.Why(cmd.Context(), args[0])
				if err == nil {
					return s.whyContainer(cmd.Context(), e, w, f)
				}
				if !container.IsNotFound(err) {
					return err
				}
			}
			return s.why(cmd.Context(), e, f, args)
		},
	}
	cmd.Flags().BoolVar(&f.builds, "builds", false, "List the recorded builds")
	cmd.Flags().BoolVar(&f.build, "build", false, "Take the name for that of an image or a build, also if a container has it")
	cmd.Flags().BoolVar(&f.json, "json", false, "Print all that is known as JSON")
	cmd.Flags().BoolVar(&f.key, "key", false, "Show the parts of each key, as they were and as they are")
	cmd.Flags().StringVar(&f.port, "port", "", "Say whether this port of the container is reached: 80, 53/udp")
	cmd.Flags().StringVar(&f.from, "from", "", "Say whether this container reaches it")
	cmd.Flags().StringVar(&f.name, "name", "", "The name or address by which the container of --from looks for it")
	return cmd
}

// containerWhy is what is known of a container and of the ways to it.
type containerWhy struct {
	*container.Why
	Ways   []reach.Way `json:",omitempty"`
	Unseen string      `json:",omitempty"` // why the ways could not be looked at
}

func (s *session) whyContainer(ctx context.Context, e *engine.Engine, w *container.Why, f whyFlags) error {
	all := containerWhy{Why: w}
	if w.Status == "running" && w.Problem == "" {
		var err error
		if all.Ways, err = e.Containers.Reach(ctx, w.ID, container.ReachOptions{}); err != nil {
			all.Unseen = err.Error()
		}
	}
	if f.json {
		return s.writeJSON(all)
	}
	return explainContainer(s.out, all, e.Containers.Now())
}

// whyUnreached answers whether a container is reached by those whom the flags name.
func (s *session) whyUnreached(ctx context.Context, e *engine.Engine, f whyFlags, args []string) error {
	switch {
	case len(args) != 1:
		return errors.New("--port, --from and --name are about one container: learn why CONTAINER --from OTHER")
	case f.name != "" && f.from == "":
		return errors.New("--name is the name by which a container looks for another one: say which one with --from")
	}
	o := container.ReachOptions{From: f.from, Name: f.name}
	if f.port != "" {
		var err error
		if o.Port, err = container.ParsePort(f.port); err != nil {
			return err
		}
	}
	ways, err := e.Containers.Reach(ctx, args[0], o)
	if err != nil {
		return err
	}
	if f.json {
		return s.writeJSON(ways)
	}
	return writeWays(s.out, ways)
}

func (s *session) why(ctx context.Context, e *engine.Engine, f whyFlags, args []string) error {
	what := "last"
	if len(args) > 0 {
		what = args[0]
	}
	record, err := findBuild(ctx, e, what)
	if err != nil {
		return err
	}
	x, err := e.Builder.Explain(record)
	if err != nil {
		return err
	}
	var only []int
	if len(args) > 1 {
		if only, err = x.Build.Find(args[1]); err != nil {
			return err
		}
	}
	if !f.json {
		return writeWhy(s.out, x, only, f.key, time.Now())
	}
	if only != nil {
		var steps []build.StepRecord
		for _, i := range only {
			steps = append(steps, x.Build.Steps[i])
		}
		x.Build.Steps = steps
	}
	return s.writeJSON(x)
}

// findBuild finds what somebody means: a build, or the latest one that made an image.
func findBuild(ctx context.Context, e *engine.Engine, what string) (build.BuildRecord, error) {
	var id digest.Digest
	img, err := e.Images.Resolve(ctx, what)
	if err == nil {
		id = img.ID
	}
	record, missing := e.Builder.FindBuild(what, id)
	if missing != nil && err == nil {
		return record, fmt.Errorf("image %s was not built here, or its build is recorded no more: %w", what, missing)
	}
	return record, missing
}

func (s *session) writeJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// listBuilds lists the recorded builds, newest first.
func (s *session) listBuilds(e *engine.Engine, f whyFlags, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("--builds lists all recorded builds: give no %q with it", args[0])
	}
	all, err := e.Builder.Builds()
	if err != nil {
		return err
	}
	if f.json {
		return s.writeJSON(all)
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "BUILD\tWHEN\tWHAT\tHITS\tMISSES\tTOOK\tSAVED\tRESULT")
	for _, b := range all {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", b.ID, format.Ago(b.Began, time.Now()), format.Clean(format.Ellipsis(buildName(b), 60)), b.Hits, b.Misses,
			format.Seconds(b.Seconds), format.Saving(b.Saved.Seconds, b.Saved.Bytes), format.Clean(format.Ellipsis(buildResult(b), 60)))
	}
	return w.Flush()
}
