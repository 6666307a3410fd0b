package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Journal is the journal of one exercise on disk: journal.jsonl in dir, and the folder journal with the contents.
type Journal struct{ dir string }

// In is the journal in dir. Nothing is made before the first line is noted.
func In(dir string) Journal { return Journal{dir} }

func (j Journal) file() string              { return filepath.Join(j.dir, "journal.jsonl") }
func (j Journal) object(hash string) string { return filepath.Join(j.dir, "journal", hash) }

// Open opens the lines. The caller closes the file.
func (j Journal) Open() (*os.File, error) { return os.Open(j.file()) }

// Content opens what is kept under a hash. The caller closes the file.
func (j Journal) Content(hash string) (*os.File, error) {
	if !ValidHash(hash) {
		return nil, fmt.Errorf("open content %q: expected a SHA-256", hash)
	}
	return os.Open(j.object(hash))
}

// Note appends a line, with what changed in folder since the line before unless folder is empty, and returns its number. N and At are set here. It returns
// ErrFull, and notes nothing, when the journal has reached its bounds.
func (j Journal) Note(l Line, folder string) (n int, err error) {
	if err := os.MkdirAll(filepath.Join(j.dir, "journal"), 0o700); err != nil {
		return 0, fmt.Errorf("keep journal: %w", err)
	}
	lock := flock.New(filepath.Join(j.dir, "journal.lock"))
	if err := lock.Lock(); err != nil && !errors.Is(err, errors.ErrUnsupported) { // a system without locks on files has no other process either
		return 0, fmt.Errorf("keep journal: %w", err)
	}
	defer lock.Unlock()
	log, err := j.Read()
	if err != nil {
		return 0, err
	}
	if len(log.Lines) >= MaxLines-1 || log.size > MaxJournal-MaxLine {
		return 0, ErrFull
	}
	l.N, l.At = len(log.Lines)+1, time.Now().UTC().Truncate(time.Second)
	if folder != "" {
		now, omitted, err := Look(folder, j.keep)
		if err != nil {
			return 0, err
		}
		l.Changes, l.Omitted = log.State().To(now), omitted
	}
	line, _, err := seal(l, log.Head)
	if err != nil {
		return 0, err
	}
	return l.N, j.append(line, log.size)
}

// append writes at the end of the last whole line: what a killed writer left of another is written over.
func (j Journal) append(line []byte, at int64) error {
	f, err := os.OpenFile(j.file(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep journal: %w", err)
	}
	err = f.Truncate(at)
	if err == nil {
		_, err = f.WriteAt(line, at)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("keep journal: %w", err)
	}
	return nil
}

// Read reads the journal; one that was never begun is empty.
func (j Journal) Read() (Log, error) {
	f, err := j.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return Log{}, nil
	}
	if err != nil {
		return Log{}, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	return Read(f)
}

// Input keeps what a command read from its standard input, for the end line's Input.
func (j Journal) Input(data []byte) (string, error) {
	if len(data) == 0 {
		return "", nil
	}
	hash, _, err := j.keep(bytes.NewReader(data))
	return hash, err
}

// keep stores a content under its hash, once.
func (j Journal) keep(in io.Reader) (hash string, size int64, err error) {
	data, err := io.ReadAll(in)
	if err != nil {
		return "", 0, fmt.Errorf("keep content: %w", err)
	}
	hash, size, err = Sum(bytes.NewReader(data))
	if err != nil {
		return "", 0, err
	}
	if info, err := os.Stat(j.object(hash)); err == nil && info.Size() == size {
		return hash, size, nil
	}
	tmp, err := os.CreateTemp(filepath.Join(j.dir, "journal"), ".new-*")
	if err != nil {
		return "", 0, fmt.Errorf("keep content: %w", err)
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), j.object(hash))
	}
	if err != nil {
		return "", 0, errors.Join(fmt.Errorf("keep content: %w", err), os.Remove(tmp.Name()))
	}
	return hash, size, nil
}
