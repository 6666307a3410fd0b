package format_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/cmd/learn/format"
)

type row struct{ ID, Name string }

var table = format.Table[row]{
	Default: "{{.ID}}\t{{.Name}}",
	Quiet:   "{{.ID}}",
	Headers: map[string]string{"ID": "CONTAINER ID", "Name": "NAMES"},
}

func TestTable(t *testing.T) {
	rows := []row{{"abc", "web"}, {"defdef", "db"}}
	for _, c := range []struct{ name, spec, want string }{
		{"default", "", "CONTAINER ID   NAMES\nabc            web\ndefdef         db\n"},
		{"table with template", `table {{.Name}}\t{{upper .ID}}`, "NAMES     CONTAINER ID\nweb       ABC\ndb        DEFDEF\n"},
		{"plain template", "{{.ID}}={{.Name}}", "abc=web\ndefdef=db\n"},
		{"json", "json", "{\"ID\":\"abc\",\"Name\":\"web\"}\n{\"ID\":\"defdef\",\"Name\":\"db\"}\n"},
		{"truncate and pad", `{{truncate .ID 2}}{{pad .Name 1 1}}|`, "ab web |\nde db |\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			if err := table.Write(&b, c.spec, rows); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, b.String()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBadTemplate(t *testing.T) {
	err := table.Write(&strings.Builder{}, "{{.ID", []row{{}})
	if err == nil || !strings.HasPrefix(err.Error(), "template parsing error: ") {
		t.Errorf("error is %v, want docker's words", err)
	}
}

func TestObjects(t *testing.T) {
	type state struct{ Status string }
	o := struct {
		State state             `json:"State"`
		Tags  map[string]string `json:"Labels"`
	}{state{"running"}, map[string]string{"a": "b"}}
	for spec, want := range map[string]string{
		"{{.State.Status}}":     "running\n",
		"{{.Labels.a}}":         "b\n",
		"{{json .State}}":       "{\"Status\":\"running\"}\n",
		`{{index .Tags "a"}}`:   "b\n",
		"":                      "[\n    {\n        \"State\": {\n            \"Status\": \"running\"\n        },\n        \"Labels\": {\n            \"a\": \"b\"\n        }\n    }\n]\n",
		"json":                  "[{\"State\":{\"Status\":\"running\"},\"Labels\":{\"a\":\"b\"}}]\n",
		"{{.State.Status}}\\t!": "running\t!\n",
	} {
		var b strings.Builder
		if err := format.Objects(&b, spec, []any{o}); err != nil {
			t.Errorf("%s: %v", spec, err)
		}
		if d := cmp.Diff(want, b.String()); d != "" {
			t.Errorf("%s: %s", spec, d)
		}
	}
	if err := format.Objects(&strings.Builder{}, "{{.Nope}}", []any{o}); err == nil {
		t.Error("a field that is not there gave no error")
	}
}

func TestText(t *testing.T) {
	if got := format.ID("sha256:0123456789abcdef"); got != "0123456789ab" {
		t.Errorf("ID = %s", got)
	}
	if got := format.Size(210_400_000); got != "210MB" {
		t.Errorf("Size = %s", got)
	}
	if got := format.Clean("a\x1b[31mb"); got != `a\x1b[31mb` {
		t.Errorf("Clean = %q", got)
	}
	if got := format.Ellipsis("abcdef", 4); got != "abc…" {
		t.Errorf("Ellipsis = %s", got)
	}
}
