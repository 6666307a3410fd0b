package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/exercises/class"
	"github.com/learn-containers/learn/exercises/grade"
	"github.com/learn-containers/learn/lessons"
)

// gradeTemplate is a home in which the built-in image is ready. Each submission gets a copy, in which large files are lent.
type gradeTemplate struct{ dir string }

// newGradeTemplate makes a template below dir.
func (s *session) newGradeTemplate(ctx context.Context, dir string) (t gradeTemplate, err error) {
	in := *s
	in.driver, in.drivers = simName, nil
	e := &lessonEngine{session: &in, id: "template", dir: filepath.Join(dir, "template"), seed: 1}
	if err := e.openDriver(); err != nil {
		return t, err
	}
	if err := e.Reset(ctx); err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, e.end(context.WithoutCancel(ctx))) }()
	var said bytes.Buffer
	streams := lessons.Streams{In: strings.NewReader(""), Out: &said, Err: &said}
	if code := e.Run(ctx, []string{"docker", "run", "--rm", "--network", "none", "learn/base", "true"}, streams, dir, nil); code != 0 {
		return t, fmt.Errorf("make a home for grading: exit code %d: %s", code, said.String())
	}
	return gradeTemplate{e.Home()}, nil
}

// lendFrom is the size in bytes from which a file is lent and not copied.
const lendFrom = 256 << 10

// copyTo makes a home of the template in the folder into. lent are the files left empty, with what belongs there.
func (t gradeTemplate) copyTo(into string, lent map[string]string) error {
	return filepath.WalkDir(t.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(into, rel)
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		if lent != nil && info.Size() >= lendFrom {
			lent[to] = path
			return os.WriteFile(to, nil, info.Mode().Perm())
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(to, data, info.Mode().Perm())
		}
		if err == nil {
			err = os.Chtimes(to, info.ModTime(), info.ModTime())
		}
		return err
	})
}

// gradeJob is one submission in a process of its own.
type gradeJob struct {
	template gradeTemplate
	dir      string // the job's own, made and removed by it
	archive  string
	parts    []class.Part
	folders  map[string]string // of the exercises, by id
	timeout  time.Duration
	confine  bool
}

// run grades. Outcomes that came before the process failed count; reason says why the rest did not come.
func (j gradeJob) run(ctx context.Context) (outcomes []grade.Outcome, reason string, err error) {
	defer func() { err = errors.Join(err, os.RemoveAll(j.dir)) }()
	request, err := j.prepare()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, j.timeout)
	defer cancel()
	cmd, stdin, stderr, err := j.command(ctx)
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start a process to grade in: %w", err)
	}
	watch := newDiskWatch(j.dir, cancel)
	_, sent := stdin.Write(request)
	outcomes, refused, bad := readAnswers(stdout)
	if bad != nil {
		cancel()
	}
	waited := cmd.Wait()
	watch.stop()
	_ = stdin.Close()
	if refused == "" && (waited != nil || bad != nil || sent != nil) {
		refused = j.why(ctx, watch, stderr.String(), errors.Join(waited, bad, sent))
	}
	return outcomes, refused, nil
}

func (j gradeJob) prepare() ([]byte, error) {
	r := gradeRequest{Root: j.dir, Confine: j.confine, CPU: uint64(2*j.timeout/time.Second) + 2, Limit: max(j.timeout/3, time.Second), Exercises: j.parts, Folders: j.folders}
	for _, d := range []string{"objects", "tmp", "work"} {
		if err := os.MkdirAll(filepath.Join(j.dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	if j.confine {
		r.Lent = map[string]string{}
		if err := errors.Join(j.devices(r.Lent), j.bootID()); err != nil {
			return nil, err
		}
	}
	for _, p := range j.parts {
		if err := j.template.copyTo(filepath.Join(j.dir, "work", p.ID, "home"), r.Lent); err != nil {
			return nil, fmt.Errorf("make a home to grade in: %w", err)
		}
	}
	if j.archive != "" {
		if err := copyArchive(j.archive, filepath.Join(j.dir, "submission.tar.gz")); err != nil {
			return nil, err
		}
	}
	return json.Marshal(r)
}

// devices lends the harmless devices that scripts take for granted.
func (j gradeJob) devices(lent map[string]string) error {
	dir := filepath.Join(j.dir, "dev")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom"} {
		to := filepath.Join(dir, name)
		if err := os.WriteFile(to, nil, 0o600); err != nil {
			return err
		}
		lent[to] = "/dev/" + name
	}
	return nil
}

// bootID tells the child which run of the machine this is. Without it the ready home would be another run's, to be read through and replaced.
func (j gradeJob) bootID() error {
	id := home.BootID()
	if id == "" {
		return nil
	}
	file := filepath.Join(j.dir, "proc/sys/kernel/random/boot_id")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(id+"\n"), 0o600)
}

func copyArchive(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (j gradeJob) command(ctx context.Context) (*exec.Cmd, io.WriteCloser, *headBuffer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("find the program to grade with: %w", err)
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = []string{"learn", "grade-one"}
	cmd.Dir = j.dir
	goal := fmt.Sprintf("GOMEMLIMIT=%d", gradeMemory/4) // nearly every submission is done before there is need to collect garbage
	cmd.Env = []string{"GOGC=off", goal, "HOME=" + j.dir, "LEARN_HOME=" + j.dir, "LEARN_DRIVER=" + simName, "LEARN_OFFLINE=1", "NO_COLOR=1", "GOMAXPROCS=2", "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	cmd.WaitDelay = 5 * time.Second
	if j.confine {
		cmd.SysProcAttr = apart()
	}
	stderr := &headBuffer{left: 16 << 10}
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	return cmd, stdin, stderr, err
}

const maxAnswers = 16 << 20 // bytes

// readAnswers reads what the child says, which may be an enemy by now.
func readAnswers(in io.Reader) (outcomes []grade.Outcome, refused string, err error) {
	d := json.NewDecoder(io.LimitReader(in, maxAnswers))
	for {
		var a gradeAnswer
		if err := d.Decode(&a); errors.Is(err, io.EOF) {
			return outcomes, refused, nil
		} else if err != nil {
			return outcomes, refused, err
		}
		if a.Outcome != nil {
			outcomes = append(outcomes, *a.Outcome)
		}
		if a.Refused != "" {
			refused = a.Refused
		}
	}
}

// why puts into words why a process ended before its time.
func (j gradeJob) why(ctx context.Context, w *diskWatch, stderr string, err error) string {
	switch {
	case w.over != "":
		return w.over
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("it took longer than %s", j.timeout)
	case strings.Contains(stderr, "out of memory") || strings.Contains(stderr, "cannot allocate memory"):
		return fmt.Sprintf("it used more than %d MiB of memory", gradeMemory>>20)
	case strings.Contains(stderr, "panic:") || strings.Contains(stderr, "fatal error:"):
		at := max(strings.Index(stderr, "panic:"), strings.Index(stderr, "fatal error:"))
		line, _, _ := strings.Cut(stderr[at:], "\n")
		return "carrying it out broke the simulator: " + line
	case strings.Contains(err.Error(), "CPU time") || strings.Contains(err.Error(), "signal: killed"):
		return "it used more processor time than allowed"
	}
	return strings.TrimSpace(fmt.Sprintf("its process failed: %v %s", err, stderr))
}

// headBuffer keeps the first bytes.
type headBuffer struct {
	bytes.Buffer
	left int
}

// Write implements io.Writer.
func (b *headBuffer) Write(p []byte) (int, error) {
	keep := min(len(p), b.left)
	b.left -= keep
	b.Buffer.Write(p[:keep])
	return len(p), nil
}

// diskWatch ends a job that writes too much.
type diskWatch struct {
	quit, done chan struct{}
	over       string // why, once it is stopped
}

const lookEvery = 200 * time.Millisecond

func newDiskWatch(dir string, end func()) *diskWatch {
	w := &diskWatch{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-w.quit:
				return
			case <-tick.C:
			}
			if w.over = tooMuch(dir); w.over != "" {
				end()
				return
			}
		}
	}()
	return w
}

func (w *diskWatch) stop() {
	close(w.quit)
	<-w.done
}

// tooMuch says what is beyond the bounds in a folder that changes meanwhile, or nothing.
func tooMuch(dir string) string {
	files, size := 0, int64(0)
	over := errors.New("over")
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d == nil {
			return nil
		}
		files++
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		if files > gradeFiles || size > gradeDisk {
			return over
		}
		return nil
	})
	switch {
	case !errors.Is(err, over):
		return ""
	case files > gradeFiles:
		return fmt.Sprintf("it made more than %d files", gradeFiles)
	}
	return fmt.Sprintf("it wrote more than %d MiB", gradeDisk>>20)
}
