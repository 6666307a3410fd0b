package class

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeedsDifferAndComeAgain(t *testing.T) {
	dir := t.TempDir()
	made, err := New(dir, "C")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir)
	if err != nil || c.Name != "C" {
		t.Fatal(c.Name, err)
	}
	other, err := New(t.TempDir(), "C")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for _, student := range []string{"ann", "bob", "ann bob"} {
		for _, exercise := range []string{"x", "y", "bob x"} {
			seed := c.Seed(student, exercise)
			if seed != made.Seed(student, exercise) {
				t.Errorf("%s, %s: the seed did not come again", student, exercise)
			}
			if seed == other.Seed(student, exercise) {
				t.Errorf("%s, %s: another class has the same seed", student, exercise)
			}
			if seen[seed] || seed == 0 {
				t.Errorf("%s, %s: seed %d is 0 or there twice", student, exercise, seed)
			}
			seen[seed] = true
		}
	}
}

func TestJoinFilesHoldNoKey(t *testing.T) {
	dir := t.TempDir()
	c, err := New(dir, "C")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Assign(Assignment{Name: "a", Exercises: []string{"x"}}, []Student{{ID: "ann", Name: "Ann"}, {ID: "bob", Name: "Bob"}}); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "class.json"))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(key), `"`)[9]
	file := filepath.Join(dir, "assignments", "a", "join", "ann.json")
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), secret) || strings.Contains(string(text), "bob") {
		t.Errorf("%s, %v", text, err)
	}
	j, err := ReadJoin(file)
	if err != nil || j.Student != "ann" || j.Exercises[0].Seed != c.Seed("ann", "x") {
		t.Errorf("%+v, %v", j, err)
	}
	if err := c.Assign(Assignment{Name: "a", Exercises: []string{"y"}}, nil); err == nil {
		t.Error("an assignment was changed into another")
	}
}

func TestIDsAreNamesOfFilesEverywhere(t *testing.T) {
	for id, want := range map[string]bool{"ann": true, "a.b@x.org": true, "": false, "..": false, ".a": false, "a/b": false, `a\b`: false, "con": false, "NUL.txt": false, "a.": false, "a b": false, "=a": false,
		strings.Repeat("a", 65): false, "é": false} {
		if ValidID(id) != want {
			t.Errorf("%q: %t", id, !want)
		}
	}
}

func TestBadLinesOfARosterAreAllNamed(t *testing.T) {
	_, err := ParseRoster(strings.NewReader("\ufeffid,name,email\nann,Ann,a@x\nANN,Ann,\nbob,Bob,a@X\nc/d,C,\ndan,Dan,nowhere\neve,Eve,,more\nfay\n"))
	for _, want := range []string{"line 3: id ANN is that of line 2", "line 4: email a@X is that of line 2", `line 5: id "c/d"`, `line 6: email "nowhere"`, "line 7: 4 fields", `line 8: name ""`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	students, err := ParseRoster(strings.NewReader("ann, Ann A ,\n\"bob\",\"B, Bob\",b@x\n"))
	if err != nil || len(students) != 2 || students[0].Name != "Ann A" || students[1].Name != "B, Bob" {
		t.Errorf("%q, %v", students, err)
	}
}

func FuzzParseRoster(f *testing.F) {
	f.Add("id,name,email\nann,Ann,a@x\n")
	f.Add("\"a\nb\",x\n")
	f.Fuzz(func(t *testing.T, text string) {
		students, err := ParseRoster(strings.NewReader(text))
		if err != nil {
			return
		}
		c := Class{Dir: t.TempDir()}
		if err := c.KeepRoster(students); err != nil {
			t.Fatal(err)
		}
		again, err := c.Roster()
		if err != nil || len(again) != len(students) {
			t.Fatalf("%q came back as %q: %v", students, again, err)
		}
		for i := range again {
			if again[i] != students[i] {
				t.Errorf("%q came back as %q", students[i], again[i])
			}
		}
	})
}

func FuzzParseJoin(f *testing.F) {
	f.Add(`{"format":1,"class":"C","assignment":"a","student":"ann","exercises":[{"id":"x","seed":7}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		j, err := ParseJoin(strings.NewReader(text))
		if err == nil && (!ValidID(j.Student) || !ValidID(j.Assignment) || len(j.Exercises) == 0) {
			t.Errorf("%+v was taken", j)
		}
	})
}
