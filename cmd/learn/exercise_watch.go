package main

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/exercises"
	"github.com/spf13/cobra"
)

func (s *session) watchCommand() *cobra.Command {
	return s.onExercise("watch", "Check the exercise again whenever a file or the engine changes", func(ctx context.Context, x exercises.Exercise) error {
		if _, begun, err := s.readRecord(x.ID); err != nil || !begun {
			if _, err := s.begin(ctx, x, "", 0); err != nil {
				return err
			}
		}
		return s.watch(ctx, x)
	})
}

// glance is how often the folder is looked at. Notifications don't come from every file system; a look does.
const glance = 500 * time.Millisecond

// watch judges at once and whenever something changed, and takes words in between: h, t, c, q. It ends when the learner has had enough, or goes on
// after the exercise is solved.
func (s *session) watch(ctx context.Context, x exercises.Exercise) error {
	rec, _, err := s.readRecord(x.ID)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	w := &watcher{session: s, exercise: x, record: rec}
	w.check(ctx)
	var looking sync.WaitGroup
	looking.Go(func() { w.look(ctx) })
	err = w.listen(ctx)
	stop()
	looking.Wait()
	return err
}

// watcher is one exercise being watched. mu keeps what is printed apart.
type watcher struct {
	session  *session
	exercise exercises.Exercise
	record   exerciseRecord
	mu       sync.Mutex
	solved   bool   // as it was judged last
	seen     string // what the folder and the trace were like when they were judged last
}

// look judges after each change.
func (w *watcher) look(ctx context.Context) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.mu.Lock()
		if w.fingerprint() != w.seen {
			w.check(ctx)
		}
		w.mu.Unlock()
	}
}

func (w *watcher) check(ctx context.Context) {
	v, err := w.session.judge(ctx, w.exercise)
	if err == nil {
		err = w.session.report(w.exercise, v)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		fmt.Fprintln(w.session.err, "learn:", err)
	}
	w.solved = err == nil && v.Solved()
	w.seen = w.fingerprint() // judging leaves its own marks in the trace
	if w.solved {
		fmt.Fprint(w.session.out, "\nEnter goes on > ")
		return
	}
	fmt.Fprint(w.session.out, "\nWatching. c checks, h hints, t tells the task, q quits > ")
}

// maxWatched bounds a look at a folder that has become something else than an exercise's.
const maxWatched = 10_000

// fingerprint changes with the name, size or time of a file, and with the trace.
func (w *watcher) fingerprint() string {
	var b strings.Builder
	if info, err := os.Stat(w.session.exerciseTrace(w.exercise.ID)); err == nil {
		fmt.Fprintln(&b, info.Size())
	}
	n := 0
	_ = filepath.WalkDir(w.record.Folder, func(path string, d fs.DirEntry, err error) error {
		if n++; n > maxWatched {
			return fs.SkipAll
		}
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return b.String()
}

// listen carries out the learner's words until q or the end of the input.
func (w *watcher) listen(ctx context.Context) error {
	in := bufio.NewScanner(w.session.in)
	for in.Scan() {
		word := strings.ToLower(strings.TrimSpace(in.Text()))
		w.mu.Lock()
		over := word == "q" || word == "" && w.solved
		var err error
		if !over {
			err = w.word(ctx, word)
		}
		w.mu.Unlock()
		if err != nil || over {
			return err
		}
	}
	return in.Err()
}

func (w *watcher) word(ctx context.Context, word string) error {
	switch word {
	case "h":
		return w.session.hint(ctx, w.exercise)
	case "t":
		_, err := w.session.begin(ctx, w.exercise, "", 0)
		return err
	case "", "c":
		w.check(ctx)
		return nil
	}
	fmt.Fprintf(w.session.out, "%q is none of the words: c, h, t, q\n", word)
	return nil
}
