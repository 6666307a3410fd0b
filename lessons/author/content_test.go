package author

import (
	"testing"

	"github.com/learn-containers/learn/lessons"
)

// TestEmbedded proves every lesson that is part of the program, and the translations. What is only a warning is told.
func TestEmbedded(t *testing.T) {
	content, err := lessons.Content()
	if err != nil {
		t.Fatal(err)
	}
	drafts, faults, err := ReadAll(content, "")
	if err != nil || len(faults) > 0 || len(drafts) < 2 {
		t.Fatalf("read %d lessons: %v %v", len(drafts), err, faults)
	}
	course, err := NewCourse(drafts)
	if err != nil {
		t.Fatal(err)
	}
	found, err := course.CheckTranslations(content, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range drafts {
		found = append(found, course.Check(d)...)
	}
	for _, f := range found {
		if f.Warning {
			t.Log(f)
		} else {
			t.Error(f)
		}
	}
}
