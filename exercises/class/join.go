package class

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Join is what a student gets of an assignment.
type Join struct {
	Format     int       `json:"format"`
	Class      string    `json:"class"`
	Assignment string    `json:"assignment"`
	Due        time.Time `json:"due,omitzero"`
	Student    string    `json:"student"`
	Name       string    `json:"name"`
	Exercises  []Part    `json:"exercises"`
}

// Part is one exercise with the student's seed.
type Part struct {
	ID   string `json:"id"`
	Seed uint64 `json:"seed"`
}

func (c Class) join(a Assignment, s Student) Join {
	j := Join{Format: 1, Class: c.Name, Assignment: a.Name, Due: a.Due, Student: s.ID, Name: s.Name}
	for _, id := range a.Exercises {
		j.Exercises = append(j.Exercises, Part{id, c.Seed(s.ID, id)})
	}
	return j
}

const (
	maxJoin  = 1 << 20 // bytes
	maxParts = 200
)

// ReadJoin reads a join file.
func ReadJoin(path string) (Join, error) {
	f, err := os.Open(path)
	if err != nil {
		return Join{}, fmt.Errorf("read join file: %w", err)
	}
	defer f.Close()
	j, err := ParseJoin(f)
	if err != nil {
		return j, fmt.Errorf("read join file %s: %w; ask for the file again", path, err)
	}
	return j, nil
}

// ParseJoin reads what a join file holds.
func ParseJoin(in io.Reader) (Join, error) {
	var j Join
	if err := json.NewDecoder(io.LimitReader(in, maxJoin)).Decode(&j); err != nil {
		return j, err
	}
	if j.Format != 1 || !ValidID(j.Student) || !ValidID(j.Assignment) || len(j.Exercises) == 0 || len(j.Exercises) > maxParts {
		return j, fmt.Errorf("format %d, student %.80q, assignment %.80q, %d exercises; expected format 1, valid names and 1 to %d exercises", j.Format, j.Student, j.Assignment, len(j.Exercises), maxParts)
	}
	seen := map[string]bool{}
	for _, p := range j.Exercises {
		if !ValidID(p.ID) || p.Seed == 0 || seen[p.ID] {
			return j, fmt.Errorf("exercise %.80q with seed %d; expected each once, with a seed", p.ID, p.Seed)
		}
		seen[p.ID] = true
	}
	return j, nil
}
