package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/learn-containers/learn/trace/view"
	"github.com/learn-containers/learn/trace/world"
	"github.com/spf13/cobra"
)

func (s *session) traceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace",
		Short: "List, show, replay and verify recorded traces",
		Long:  "A trace is a file made with --trace FILE, or the trace of a lesson, named by the lesson's id (see learn trace ls).",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(s.traceList(), s.traceShow(), s.traceReplay(), s.traceState(), s.traceVerify())
	return cmd
}

func (s *session) tracesDir() string { return filepath.Join(s.home, "traces") }

// traceFile finds a trace by path, or by the name of a lesson that was played.
func (s *session) traceFile(name string) (string, error) {
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	kept := filepath.Join(s.tracesDir(), name+".jsonl")
	if _, err := os.Stat(kept); err == nil && filepath.Base(name) == name {
		return kept, nil
	}
	return "", fmt.Errorf("no trace %q: neither a file nor one of those that learn trace ls shows", name)
}

// readTrace passes over a last line that is still being written, and says so.
func (s *session) readTrace(name string) ([]trace.Event, error) {
	path, err := s.traceFile(name)
	if err != nil {
		return nil, err
	}
	events, err := tracefile.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read trace %s: %w", path, err)
	}
	return events, nil
}

func (s *session) traceList() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the traces of lessons",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			found, err := filepath.Glob(filepath.Join(s.tracesDir(), "*.jsonl"))
			if err != nil {
				return err
			}
			for _, f := range found {
				fi, err := os.Stat(f)
				if err != nil {
					continue
				}
				fmt.Fprintf(s.out, "%-24s %8d bytes  %s\n", strings.TrimSuffix(filepath.Base(f), ".jsonl"), fi.Size(), fi.ModTime().Format(time.DateTime))
			}
			return nil
		},
	}
}

func (s *session) traceShow() *cobra.Command {
	var level string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show TRACE",
		Short: "Tell a trace in sentences",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			events, err := s.readTrace(args[0])
			if err != nil {
				return err
			}
			out := bufio.NewWriter(s.out)
			defer out.Flush()
			if asJSON {
				for _, e := range events {
					fmt.Fprintf(out, "%s\n", trace.AppendJSON(nil, e))
				}
				return nil
			}
			l, err := narrate.ParseLevel(level)
			if err != nil {
				return err
			}
			sink := narrate.NewSink(out, l, s.width(), s.color(s.out))
			for _, e := range events {
				sink.Emit(e)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&level, "level", "full", "How much to tell: short, full or kernel")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print the events themselves, one a line")
	return cmd
}

func (s *session) traceState() *cobra.Command {
	at := -1
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "state TRACE",
		Short: "Show what existed after an event",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			events, err := s.readTrace(args[0])
			if err != nil {
				return err
			}
			n := len(events)
			if at >= 0 {
				n = at
			}
			if n > len(events) {
				return fmt.Errorf("--at %d: the trace has %d events", at, len(events))
			}
			w := world.Fold(events[:n])
			if !asJSON {
				_, err := fmt.Fprint(s.out, view.Frame(w, lastEvent(events[:n]), s.width()))
				return err
			}
			enc := json.NewEncoder(s.out)
			enc.SetIndent("", "  ")
			return enc.Encode(w)
		},
	}
	cmd.Flags().IntVar(&at, "at", -1, "The event's number (default: the last)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print the whole state as JSON")
	return cmd
}

func lastEvent(events []trace.Event) *trace.Event {
	if len(events) == 0 {
		return nil
	}
	return &events[len(events)-1]
}

func (s *session) traceVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify TRACE",
		Short: "Check that a trace is complete and was not changed",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := s.traceFile(args[0])
			if err != nil {
				return err
			}
			n, err := tracefile.VerifyFile(path)
			if err != nil {
				return fmt.Errorf("verify %s: %w", path, err)
			}
			fmt.Fprintf(s.out, "%s: %d events, the chain of hashes is whole\n", path, n)
			return nil
		},
	}
}

func (s *session) traceReplay() *cobra.Command {
	var level string
	cmd := &cobra.Command{
		Use:   "replay TRACE",
		Short: "Walk through a trace: n next, b back, g N goto, s state, q quit",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			events, err := s.readTrace(args[0])
			if err != nil {
				return err
			}
			l, err := narrate.ParseLevel(level)
			if err != nil {
				return err
			}
			return s.replay(world.NewReplay(events), l)
		},
	}
	cmd.Flags().StringVar(&level, "level", "kernel", "How much to tell: short, full or kernel")
	return cmd
}

// replay walks by the learner's keys; at the end of its input it stops.
func (s *session) replay(r *world.Replay, level narrate.Level) error {
	in := bufio.NewScanner(s.in)
	s.step(r, r.Next(), level)
	for {
		fmt.Fprintf(s.out, "[%d of %d] n b g N s q> ", r.Pos(), r.Len())
		if !in.Scan() {
			fmt.Fprintln(s.out)
			return in.Err()
		}
		word, arg, _ := strings.Cut(strings.TrimSpace(in.Text()), " ")
		switch word {
		case "", "n":
			s.step(r, r.Next(), level)
		case "b":
			s.step(r, r.Back(), level)
		case "g":
			var n int
			if _, err := fmt.Sscan(arg, &n); err != nil {
				fmt.Fprintln(s.out, "g needs the number of an event")
				continue
			}
			r.Goto(n)
			s.step(r, true, level)
		case "s":
			e, _ := r.Event()
			fmt.Fprint(s.out, view.Frame(r.World(), &e, s.width()))
		case "q":
			return nil
		default:
			fmt.Fprintln(s.out, "n next, b back, g N go to event N, s state, q quit")
		}
	}
}

func (s *session) step(r *world.Replay, moved bool, level narrate.Level) {
	e, ok := r.Event()
	switch {
	case !moved:
		fmt.Fprintln(s.out, "no further event on this side")
	case !ok:
		fmt.Fprintln(s.out, "before the first event")
	default:
		fmt.Fprintf(s.out, "%d %s %s\n  %s\n", e.Seq, e.Kind, e.Phase, narrate.Narrate(e, level))
	}
}
