package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/grade"
	"github.com/learn-containers/learn/exercises/submission"
	"github.com/spf13/cobra"
)

// gradeFlags are the options of learn grade.
type gradeFlags struct {
	class, assignment, format, out string
	jobs                           int
	timeout                        time.Duration
	unconfined                     bool
}

func (s *session) gradeCommand() *cobra.Command {
	var f gradeFlags
	cmd := &cobra.Command{
		Use:   "grade DIR|FILE...",
		Short: "For teachers: carry out what students handed in, and say what it is worth",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
			defer stop()
			return s.grade(ctx, f, args)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.class, "class", "", "Folder of the class: seeds come from its key, names from its roster")
	fl.StringVar(&f.assignment, "assignment", "", "Assignment to grade (default: the one that most submissions are for)")
	fl.IntVar(&f.jobs, "jobs", 0, "Submissions at a time (default: one per processor)")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "Time that one submission may take")
	fl.StringVar(&f.format, "format", "table", "How to write it: "+strings.Join(grade.Formats(), ", "))
	fl.StringVarP(&f.out, "output", "o", "", "File to write to (default: standard output)")
	fl.BoolVar(&f.unconfined, "unconfined", false, "Carry submissions out where they could reach your files: only for work of people whom you trust")
	return cmd
}

func (s *session) grade(ctx context.Context, f gradeFlags, args []string) (err error) {
	if !slices.Contains(grade.Formats(), f.format) {
		return fmt.Errorf("grade: format %q; expected one of %s", f.format, strings.Join(grade.Formats(), ", "))
	}
	if f.timeout < time.Second {
		return fmt.Errorf("grade: a timeout of %s; expected one second or more", f.timeout)
	}
	g := &grader{session: s, flags: f}
	if err := g.look(args); err != nil {
		return err
	}
	if g.dir, err = gradeFolder(); err != nil {
		return fmt.Errorf("grade: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(g.dir)) }()
	if g.template, err = s.newGradeTemplate(ctx, g.dir); err != nil {
		return err
	}
	if err := g.probe(ctx); err != nil {
		return err
	}
	if err := g.all(ctx); err != nil {
		return err
	}
	report, err := g.report()
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := report.Write(&text, f.format); err != nil {
		return err
	}
	if f.out == "" {
		_, err = s.out.Write(text.Bytes())
		return err
	}
	return home.WriteFile(f.out, text.Bytes(), 0o644)
}

// gradeFolder makes the folder to grade in: where TMPDIR says, else in memory where there is room, for nothing in it has to last and the engine syncs all
// it writes.
func gradeFolder() (string, error) {
	if memory := memoryFolder(); memory != "" && os.Getenv("TMPDIR") == "" {
		if dir, err := os.MkdirTemp(memory, "learn-grade-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "learn-grade-")
}

// grader is one run of learn grade.
type grader struct {
	session  *session
	flags    gradeFlags
	class    *class.Class
	students []class.Student
	given    class.Assignment // empty without --class, or when nobody says
	known    []exercises.Header
	dir      string
	template gradeTemplate
	work     []*handedIn
}

// handedIn is one file of a student.
type handedIn struct {
	file     string
	manifest submission.Manifest
	result   grade.Result
}

// look finds the files, reads how each begins, and the class.
func (g *grader) look(args []string) error {
	var err error
	if g.known, err = exercises.EmbeddedHeaders(); err != nil {
		return err
	}
	files, err := archives(args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("grade %s: there is no .tar.gz in it; expected files that learn submit made", strings.Join(args, " "))
	}
	for _, f := range files {
		g.work = append(g.work, openHandedIn(f))
	}
	if g.flags.class == "" {
		return nil
	}
	c, err := class.Open(g.flags.class)
	if err != nil {
		return err
	}
	g.class = &c
	if g.students, err = c.Roster(); err != nil {
		return err
	}
	name := cmp.Or(g.flags.assignment, g.usual())
	if name == "" {
		return nil
	}
	if g.given, err = c.Assignment(name); errors.Is(err, fs.ErrNotExist) && g.flags.assignment == "" {
		return nil // each file says itself what it is
	}
	return err
}

// archives lists the files that are named, and those in the folders that are.
func archives(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, fmt.Errorf("grade: %w", err)
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && (strings.HasSuffix(path, ".tar.gz") || strings.HasSuffix(path, ".tgz")) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("grade: %w", err)
		}
	}
	return files, nil
}

// openHandedIn reads no more than the manifest.
func openHandedIn(file string) *handedIn {
	h := &handedIn{file: file}
	h.result = grade.Result{File: filepath.Base(file)}
	stem, _, _ := strings.Cut(h.result.File, ".")
	h.result.Student = stem // until the manifest says better
	info, err := os.Lstat(file)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > submission.MaxArchive) {
		err = fmt.Errorf("it is no file of at most %d bytes", submission.MaxArchive)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(file); err == nil {
			h.manifest, err = submission.ReadManifest(f)
			f.Close()
		}
	}
	if err != nil {
		h.result.Reason = err.Error()
		return h
	}
	h.result.Student, h.result.Assignment, h.result.At = h.manifest.Student, h.manifest.Assignment, h.manifest.At
	return h
}

// usual is the assignment that most files name.
func (g *grader) usual() string {
	counts, best := map[string]int{}, ""
	for _, h := range g.work {
		if a := h.manifest.Assignment; a != "" {
			counts[a]++
			if best == "" || counts[a] > counts[best] {
				best = a
			}
		}
	}
	return best
}

// probe finds out whether a process can be shut in here, before anything of a stranger is carried out.
func (g *grader) probe(ctx context.Context) error {
	if g.flags.unconfined {
		return nil
	}
	err := error(nil)
	if apart() == nil {
		err = confine("", nil, 0)
	} else {
		var reason string
		_, reason, err = gradeJob{template: g.template, dir: filepath.Join(g.dir, "probe"), timeout: g.flags.timeout, confine: true}.run(ctx)
		if err == nil && reason != "" {
			err = errors.New(reason)
		}
	}
	if err != nil {
		return fmt.Errorf("grade: submissions can't be kept from your files here: %w; grade on Linux, as root or where users may make namespaces, or say --unconfined if you trust every student", err)
	}
	return nil
}

// all grades every file, so many at a time.
func (g *grader) all(ctx context.Context) error {
	jobs := g.flags.jobs
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	next := make(chan int)
	errs := make([]error, len(g.work))
	var workers sync.WaitGroup
	for range min(jobs, len(g.work)) {
		workers.Go(func() {
			for i := range next {
				errs[i] = g.one(ctx, i)
			}
		})
	}
	for i := range g.work {
		next <- i
	}
	close(next)
	workers.Wait()
	return cmp.Or(ctx.Err(), errors.Join(errs...))
}

func (g *grader) one(ctx context.Context, i int) error {
	h := g.work[i]
	if h.result.Reason != "" || ctx.Err() != nil {
		return nil
	}
	want := g.parts(h.manifest)
	var carry []class.Part
	folders := map[string]string{}
	for _, p := range want {
		if slices.ContainsFunc(h.manifest.Exercises, func(q submission.Part) bool { return q.ID == p.ID }) && g.exercise(p.ID) != nil {
			carry, folders[p.ID] = append(carry, p), g.exercise(p.ID).Folder()
		}
	}
	var outcomes []grade.Outcome
	reason := ""
	if len(carry) > 0 {
		var err error
		job := gradeJob{template: g.template, dir: filepath.Join(g.dir, fmt.Sprintf("job-%d", i)), archive: h.file, parts: carry, folders: folders, timeout: g.flags.timeout, confine: !g.flags.unconfined}
		if outcomes, reason, err = job.run(ctx); err != nil {
			return fmt.Errorf("grade %s: %w", h.file, err)
		}
	}
	for _, p := range want {
		h.result.Outcomes = append(h.result.Outcomes, g.outcome(p, outcomes, carry, reason))
	}
	return nil
}

// parts is what a student was to do: the assignment with the seeds of the class, else what is in the file. Nothing in the file chooses a seed when there is
// a class.
func (g *grader) parts(m submission.Manifest) []class.Part {
	var parts []class.Part
	if g.class != nil && len(g.given.Exercises) > 0 {
		for _, id := range g.given.Exercises {
			parts = append(parts, class.Part{ID: id, Seed: g.class.Seed(m.Student, id)})
		}
		return parts
	}
	for _, p := range m.Exercises {
		seed := p.Seed
		if g.class != nil {
			seed = g.class.Seed(m.Student, p.ID)
		}
		parts = append(parts, class.Part{ID: p.ID, Seed: seed})
	}
	return parts
}

func (g *grader) exercise(id string) *exercises.Header {
	for i := range g.known {
		if g.known[i].ID == id {
			return &g.known[i]
		}
	}
	return nil
}

// outcome is what the child said of an exercise. Titles and points are never its.
func (g *grader) outcome(p class.Part, said []grade.Outcome, carried []class.Part, reason string) grade.Outcome {
	o := grade.Outcome{Exercise: p.ID, State: grade.Missing, Reason: "it is not in the submission"}
	if slices.Contains(carried, p) {
		o.State, o.Reason = grade.Refused, cmp.Or(reason, "its process said nothing of it")
	}
	if i := slices.IndexFunc(said, func(o grade.Outcome) bool { return o.Exercise == p.ID }); i >= 0 {
		o = said[i]
	}
	x := g.exercise(p.ID)
	if x == nil {
		o.Reason = "this learn has no such exercise"
		return o
	}
	o.Title, o.Of, o.Points = x.Title, x.Points, 0
	if o.State == grade.Solved {
		o.Points = x.Points
	}
	return o
}
