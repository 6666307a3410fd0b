package class

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Student is one line of a roster.
type Student struct{ ID, Name, Email string }

const maxStudents = 10_000

// ParseRoster reads lines of id, name and email, with or without such a heading. The error tells of every bad line by its number.
func ParseRoster(in io.Reader) ([]Student, error) {
	r := csv.NewReader(io.LimitReader(in, 16<<20))
	r.FieldsPerRecord = -1
	p := rosterReader{ids: map[string]int{}, emails: map[string]int{}}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.errs = append(p.errs, err)
			break
		}
		line, _ := r.FieldPos(0)
		p.line(line, fields)
		if len(p.students) > maxStudents {
			return nil, fmt.Errorf("read roster: line %d: a class has at most %d students", line, maxStudents)
		}
	}
	if len(p.errs) == 0 && len(p.students) == 0 {
		p.errs = append(p.errs, errors.New("no student is in it; expected lines of id,name,email"))
	}
	if len(p.errs) > 0 {
		return nil, fmt.Errorf("read roster: %w", errors.Join(p.errs...))
	}
	return p.students, nil
}

type rosterReader struct {
	students    []Student
	ids, emails map[string]int // lines, by what must not be there twice, in small letters: some systems take files of both cases for one
	errs        []error
}

func (p *rosterReader) line(n int, fields []string) {
	for i := range fields {
		fields[i] = strings.TrimSpace(strings.TrimPrefix(fields[i], "\ufeff"))
	}
	if n == 1 && strings.EqualFold(fields[0], "id") {
		return
	}
	fields = append(fields, "", "")
	s := Student{ID: fields[0], Name: fields[1], Email: fields[2]}
	if err := s.valid(len(fields) - 2); err != nil {
		p.errs = append(p.errs, fmt.Errorf("line %d: %w", n, err))
		return
	}
	id, email := strings.ToLower(s.ID), strings.ToLower(s.Email)
	if first, twice := p.ids[id]; twice {
		p.errs = append(p.errs, fmt.Errorf("line %d: id %s is that of line %d; expected each once", n, s.ID, first))
		return
	}
	if first, twice := p.emails[email]; twice && email != "" {
		p.errs = append(p.errs, fmt.Errorf("line %d: email %s is that of line %d; expected each once", n, s.Email, first))
		return
	}
	p.ids[id], p.emails[email] = n, n
	p.students = append(p.students, s)
}

func (s Student) valid(fields int) error {
	bad := func(text string) bool {
		return len(text) > 200 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	switch {
	case fields > 3:
		return fmt.Errorf("%d fields; expected id,name,email", fields)
	case !ValidID(s.ID):
		return fmt.Errorf("id %.80q; expected letters, digits and ._@+-, at most 64", s.ID)
	case s.Name == "" || bad(s.Name):
		return fmt.Errorf("name %.80q of %s; expected one line of text", s.Name, s.ID)
	case s.Email != "" && (!strings.Contains(s.Email, "@") || bad(s.Email)):
		return fmt.Errorf("email %.80q of %s; expected an address or nothing", s.Email, s.ID)
	}
	return nil
}

func (c Class) rosterFile() string { return filepath.Join(c.Dir, "roster.csv") }

// KeepRoster stores the students in the class's folder, in place of those before.
func (c Class) KeepRoster(students []Student) error {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{{"id", "name", "email"}}
	for _, s := range students {
		rows = append(rows, []string{s.ID, s.Name, s.Email})
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("keep roster: %w", err)
	}
	if err := os.WriteFile(c.rosterFile(), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("keep roster: %w", err)
	}
	return nil
}

// Roster reads the students.
func (c Class) Roster() ([]Student, error) {
	f, err := os.Open(c.rosterFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read roster: the class has none; learn class roster %s FILE.csv takes one", c.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read roster: %w", err)
	}
	defer f.Close()
	return ParseRoster(f)
}
