package grade

import (
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// sample has a student who is right, one who is wrong, one whose texts are hostile, and one whose file is nothing.
func sample() Report {
	solved := Outcome{Exercise: "shrink", Title: "Smaller", State: Solved, Points: 3, Of: 3, Checks: []Check{{ID: "built", Says: "it is built", Holds: true}}}
	wrong := Outcome{Exercise: "shrink", Title: "Smaller", State: Wrong, Of: 3, Reason: "it is built", Checks: []Check{{ID: "built", Says: "it is built"}, {ID: "smaller", Says: "it is smaller", Belief: "M-A", Told: "no"}}}
	hostile := Outcome{Exercise: "shrink", Title: "Smaller", State: Refused, Of: 3, Reason: "\x1b[31mred\n=HYPERLINK(\"x\") " + strings.Repeat("long ", 40), Flags: []string{"@SUM(1)"}}
	r := Report{Class: "C", Assignment: "one", Misconception: map[string]Misconception{"M-A": {"M-A", "It shrinks.", "It does not."}}, Results: []Result{
		{File: "ann.tar.gz", Student: "ann", Name: "Ann", Email: "ann@x", At: time.Unix(1700000000, 0), Outcomes: []Outcome{solved}},
		{File: "bob.tar.gz", Student: "bob", Name: "=cmd|x", Outcomes: []Outcome{wrong}},
		{File: "cid.tar.gz", Student: "cid", Outcomes: []Outcome{hostile}},
		{File: "dan.tar.gz", Student: "dan", Reason: "no archive"},
	}}
	r.Count()
	return r
}

func written(t *testing.T, r Report, format string) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBeliefsCountWhoCouldBeGraded(t *testing.T) {
	b := sample().Beliefs
	if len(b) != 1 || b[0].ID != "M-A" || b[0].Of != 2 || len(b[0].Students) != 1 || b[0].Check != "shrink/smaller" {
		t.Errorf("%+v", b)
	}
	table := written(t, sample(), "table")
	if !strings.Contains(table, "1 of 2 think: It shrinks.") || !strings.Contains(table, "It does not.") {
		t.Error(table)
	}
}

func TestTableFitsAndIsPlain(t *testing.T) {
	for line := range strings.Lines(written(t, sample(), "table")) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 || strings.ContainsRune(line, 0x1b) {
			t.Errorf("%q", line)
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	for _, format := range []string{"csv", "canvas", "moodle"} {
		all, err := csv.NewReader(strings.NewReader(written(t, sample(), format))).ReadAll()
		if err != nil {
			t.Fatal(format, err)
		}
		for _, row := range all {
			for _, cell := range row {
				if cell != "" && strings.ContainsRune("=+-@\t\x1b", rune(cell[0])) || strings.ContainsAny(cell, "\x1b\n") {
					t.Errorf("%s: %q", format, cell)
				}
			}
		}
	}
}

func TestFormatsSayWhatSchoolsRead(t *testing.T) {
	r := sample()
	if text := written(t, r, "canvas"); !strings.HasPrefix(text, "Student,ID,SIS User ID,SIS Login ID,Section,one\n\"    Points Possible\",,,,,3\nAnn,,ann,ann@x,,3\n") {
		t.Error(text)
	}
	if text := written(t, r, "moodle"); !strings.Contains(text, "ann,Ann,ann@x,3,shrink: solved\n") {
		t.Error(text)
	}
	var suites junitSuites
	if err := xml.Unmarshal([]byte(written(t, r, "junit")), &suites); err != nil {
		t.Fatal(err)
	}
	if len(suites.Suites) != 4 || suites.Suites[0].Failures != 0 || suites.Suites[1].Failures != 2 || suites.Suites[2].Errors != 1 || suites.Suites[3].Errors != 1 {
		t.Errorf("%+v", suites)
	}
	var back Report
	if err := json.Unmarshal([]byte(written(t, r, "json")), &back); err != nil || len(back.Results) != 4 || back.Results[0].Outcomes[0].Points != 3 {
		t.Errorf("%+v, %v", back, err)
	}
	if err := r.Write(&strings.Builder{}, "gradescope"); err == nil {
		t.Error("Gradescope got four submissions")
	}
	r.Results = r.Results[:1]
	if text := written(t, r, "gradescope"); !strings.Contains(text, `"score": 3,`) || !strings.Contains(text, `"status": "passed"`) {
		t.Error(text)
	}
}

func TestStatementsAreTheSameWhenToldTwice(t *testing.T) {
	var all, again []statement
	for _, to := range []*[]statement{&all, &again} {
		if err := json.Unmarshal([]byte(written(t, sample(), "xapi")), to); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 2 || all[0].ID != again[0].ID || all[0].ID == all[1].ID || len(all[0].ID) != 36 {
		t.Fatalf("%+v", all)
	}
	if all[0].Actor["mbox"] != "mailto:ann@x" || all[0].Verb["id"] != "http://adlnet.gov/expapi/verbs/passed" || all[1].Result["success"] != false {
		t.Errorf("%+v", all)
	}
}
