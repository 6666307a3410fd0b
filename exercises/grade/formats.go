package grade

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Formats are the words that Write knows.
func Formats() []string {
	return []string{"table", "json", "csv", "canvas", "moodle", "junit", "gradescope", "xapi"}
}

// Write writes a report in one of the formats.
func (r Report) Write(out io.Writer, format string) error {
	switch format {
	case "table":
		return r.Table(out)
	case "json":
		return indented(out, r)
	case "csv":
		return r.csv(out)
	case "canvas":
		return r.canvas(out)
	case "moodle":
		return r.moodle(out)
	case "junit":
		return r.junit(out)
	case "gradescope":
		return r.gradescope(out)
	case "xapi":
		return indented(out, r.statements())
	}
	return fmt.Errorf("write grades: format %q; expected one of %s", format, strings.Join(Formats(), ", "))
}

func indented(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// rows writes a CSV table in which no cell is a formula to a spreadsheet.
func rows(out io.Writer, all [][]string) error {
	for _, row := range all {
		for i, cell := range row {
			if cell = clean(cell); cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
				cell = "'" + cell
			}
			row[i] = cell
		}
	}
	return csv.NewWriter(out).WriteAll(all)
}

func (r Report) csv(out io.Writer) error {
	all := [][]string{{"id", "name", "email", "exercise", "state", "points", "of", "check", "misconception", "reason", "flags", "file"}}
	for _, res := range r.Results {
		if len(res.Outcomes) == 0 {
			all = append(all, []string{res.Student, res.Name, res.Email, "", string(Refused), "0", "0", "", "", res.Reason, strings.Join(res.AllFlags(), "; "), res.File})
		}
		for _, o := range res.Outcomes {
			c, _ := o.FirstFailed()
			flags := append(append([]string(nil), res.Flags...), o.Flags...)
			all = append(all, []string{res.Student, res.Name, res.Email, o.Exercise, string(o.State), strconv.Itoa(o.Points), strconv.Itoa(o.Of), c.ID, c.Belief, o.Reason, strings.Join(flags, "; "), res.File})
		}
	}
	return rows(out, all)
}

// possible is what the assignment is worth: that of the result with most.
func (r Report) possible() int {
	most := 0
	for _, res := range r.Results {
		_, of := res.Points()
		most = max(most, of)
	}
	return most
}

func (r Report) column() string {
	if r.Assignment != "" {
		return r.Assignment
	}
	return "learn"
}

// canvas is the table that Canvas imports into its gradebook, by SIS user id.
func (r Report) canvas(out io.Writer) error {
	all := [][]string{{"Student", "ID", "SIS User ID", "SIS Login ID", "Section", r.column()}, {"    Points Possible", "", "", "", "", strconv.Itoa(r.possible())}}
	for _, res := range r.Results {
		points, _ := res.Points()
		all = append(all, []string{res.who(), "", res.Student, res.Email, "", strconv.Itoa(points)})
	}
	return rows(out, all)
}

// moodle is a table that Moodle's import of grades takes, by id number or email address.
func (r Report) moodle(out io.Writer) error {
	all := [][]string{{"ID number", "Full name", "Email address", r.column(), "Feedback comments"}}
	for _, res := range r.Results {
		points, _ := res.Points()
		all = append(all, []string{res.Student, res.who(), res.Email, strconv.Itoa(points), res.feedback()})
	}
	return rows(out, all)
}

// feedback is what a student is told, in one line.
func (r Result) feedback() string {
	if r.Reason != "" {
		return r.Reason
	}
	var parts []string
	for _, o := range r.Outcomes {
		if o.State == Solved {
			parts = append(parts, o.Exercise+": solved")
		} else {
			parts = append(parts, o.Exercise+": "+o.why())
		}
	}
	return strings.Join(parts, "; ")
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Time    string     `xml:"time,attr,omitempty"`
	Failure *junitText `xml:"failure"`
	Error   *junitText `xml:"error"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (r Report) junit(out io.Writer) error {
	var all junitSuites
	for _, res := range r.Results {
		all.Suites = append(all.Suites, res.suite())
	}
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func (r Result) suite() junitSuite {
	s := junitSuite{Name: clean(r.Student)}
	if r.Reason != "" {
		s.Cases = append(s.Cases, junitCase{Class: clean(r.Student), Name: "submission", Error: &junitText{Message: clean(r.Reason)}})
	}
	for _, o := range r.Outcomes {
		s.Cases = append(s.Cases, o.cases(clean(r.Student))...)
	}
	for _, c := range s.Cases {
		s.Tests++
		if c.Failure != nil {
			s.Failures++
		}
		if c.Error != nil {
			s.Errors++
		}
	}
	return s
}

func (o Outcome) cases(student string) []junitCase {
	name := student + "." + o.Exercise
	if o.State != Solved && o.State != Wrong {
		return []junitCase{{Class: name, Name: "carried out", Error: &junitText{Message: string(o.State) + ": " + clean(o.Reason)}}}
	}
	var all []junitCase
	for _, c := range o.Checks {
		j := junitCase{Class: name, Name: clean(c.Says)}
		if !c.Holds {
			j.Failure = &junitText{Message: "does not hold " + clean(c.Belief), Text: clean(c.Told)}
		}
		all = append(all, j)
	}
	if len(all) > 0 {
		all[0].Time = strconv.FormatFloat(o.Seconds, 'f', 3, 64)
	}
	return all
}

type gradescopeTest struct {
	Name   string  `json:"name"`
	Score  float64 `json:"score"`
	Max    float64 `json:"max_score"`
	Status string  `json:"status"`
	Output string  `json:"output"`
}

// gradescope is the results.json of an autograder, which sees one submission at a time.
func (r Report) gradescope(out io.Writer) error {
	if len(r.Results) != 1 {
		return fmt.Errorf("write grades: %d submissions; expected one, for Gradescope asks for each by itself", len(r.Results))
	}
	res := r.Results[0]
	points, _ := res.Points()
	var all struct {
		Score  int              `json:"score"`
		Output string           `json:"output"`
		Tests  []gradescopeTest `json:"tests"`
	}
	all.Score, all.Output, all.Tests = points, clean(res.Reason), []gradescopeTest{}
	for _, o := range res.Outcomes {
		t := gradescopeTest{Name: o.Exercise + " " + clean(o.Title), Score: float64(o.Points), Max: float64(o.Of), Status: "failed", Output: o.why()}
		if o.State == Solved {
			t.Status, t.Output = "passed", "every check holds"
		}
		all.Tests = append(all.Tests, t)
	}
	return indented(out, all)
}

const iri = "https://github.com/learn-containers/learn/exercises/"

type statement struct {
	ID        string         `json:"id"`
	Actor     map[string]any `json:"actor"`
	Verb      map[string]any `json:"verb"`
	Object    map[string]any `json:"object"`
	Result    map[string]any `json:"result"`
	Timestamp string         `json:"timestamp,omitempty"`
}

// statements are those of xAPI 1.0.3: one for each exercise that was carried out.
func (r Report) statements() []statement {
	all := []statement{}
	for _, res := range r.Results {
		for _, o := range res.Outcomes {
			if o.State == Solved || o.State == Wrong {
				all = append(all, r.statement(res, o))
			}
		}
	}
	return all
}

func (r Report) statement(res Result, o Outcome) statement {
	actor := map[string]any{"objectType": "Agent", "name": res.who(), "account": map[string]string{"homePage": iri, "name": res.Student}}
	if res.Email != "" {
		actor = map[string]any{"objectType": "Agent", "name": res.who(), "mbox": "mailto:" + res.Email}
	}
	verb := "failed"
	if o.State == Solved {
		verb = "passed"
	}
	s := statement{
		ID:     uuid(r.Class, r.Assignment, res.Student, o.Exercise, res.At.String(), verb),
		Actor:  actor,
		Verb:   map[string]any{"id": "http://adlnet.gov/expapi/verbs/" + verb, "display": map[string]string{"en": verb}},
		Object: map[string]any{"id": iri + o.Exercise, "definition": map[string]any{"type": "http://adlnet.gov/expapi/activities/assessment", "name": map[string]string{"en": clean(o.Title)}}},
		Result: map[string]any{"success": o.State == Solved, "completion": true, "score": map[string]any{"raw": o.Points, "min": 0, "max": o.Of, "scaled": float64(o.Points) / float64(max(o.Of, 1))}},
	}
	if !res.At.IsZero() {
		s.Timestamp = res.At.UTC().Format(time.RFC3339)
	}
	return s
}

// uuid is the same for the same words, so that a store takes a statement that is sent twice once.
func uuid(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
