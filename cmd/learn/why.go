package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/container"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"
)

type whyFlags struct {
	builds, json, key, build bool
}

func (s *session) whyCommand() *cobra.Command {
	var f whyFlags
	cmd := &cobra.Command{
		Use:   "why [CONTAINER|IMAGE|BUILD] [STEP]",
		Short: "Say why a container ended, or why the steps of a build hit or missed the cache",
		Long: `Say why a container ended or is as it is: its exit code, the signal that ended it and who sent that, memory that ran out, system calls that were
refused, a program or library that is missing, a stop that was not heeded.

Or say for each step of a build whether its result came from the cache, and if not, what differed from the nearest earlier run: the file,
the word, the variable, the mount, the base image or the step below it. It also says what that took along, and what order of the
instructions would have kept the cache.

CONTAINER is a name or id; where an image has the same name, the container is meant, unless --build is given.
IMAGE is the name or id of an image that was built here: its latest build counts. BUILD is the id of a recorded build or the beginning of
one; last, or nothing, is the latest. STEP is a step's number in the list or the beginning of its instruction.`,
		Example: "  learn why web\n  learn why\n  learn why shop 'COPY .' --key\n  learn why --builds",
		Args:    cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := s.open(cmd.Context(), s.home)
			if err != nil {
				return err
			}
			if f.builds {
				return s.listBuilds(e, f, args)
			}
			if len(args) == 1 && args[0] != "last" && !f.build && !f.key {
				w, err := e.Containers.Why(cmd.Context(), args[0])
				if err == nil {
					return s.whyContainer(w, f, e.Containers.Now())
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
	return cmd
}

func (s *session) whyContainer(w *container.Why, f whyFlags, now time.Time) error {
	if f.json {
		return s.writeJSON(w)
	}
	return explainContainer(s.out, w, now)
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
