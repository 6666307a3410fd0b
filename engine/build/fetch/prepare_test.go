package fetch

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestPrepare(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	archive := string(tarOf(t, file("Dockerfile", "FROM scratch\n"), file("x", "x")))
	s := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".tar") {
			io.WriteString(w, archive)
			return
		}
		io.WriteString(w, "FROM scratch\n")
	})
	const tree = "Dockerfile: FROM scratch\nx: x\n"
	for _, c := range []struct {
		name, word, flag, stdin string
		text                    *string // of the Dockerfile
		tree, remote            string
	}{
		{"folder", "folder", "", "", nil, "", ""},
		{"folder, Dockerfile by stdin", "folder", "-", "FROM a\n", ptr("FROM a\n"), "", ""},
		{"archive by stdin", "-", "", archive, nil, tree, "-"},
		{"archive by stdin, with -f", "-", "x", archive, nil, tree, "-"},
		{"Dockerfile by stdin", "-", "", "FROM b\n", ptr("FROM b\n"), "", "-"},
		{"nothing by stdin", "-", "", "", ptr(""), "", "-"},
		{"Dockerfile that begins as bzip2 does", "-", "", "BZh is no instruction", ptr("BZh is no instruction"), "", "-"},
		{"archive at a URL", s.URL + "/a.tar?sig=x", "", "", nil, tree, s.URL + "/a.tar?xxxxx"},
		{"archive at a URL, Dockerfile by stdin", s.URL + "/a.tar", "-", "FROM c\n", ptr("FROM c\n"), tree, s.URL + "/a.tar"},
		{"Dockerfile at a URL", s.URL + "/Dockerfile", "", "", ptr("FROM scratch\n"), "", s.URL + "/Dockerfile"},
		{"empty archive", "-", "", strings.Repeat("\x00", 10240), nil, "", "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Prepare(t.Context(), t.TempDir(), Spec{Word: c.word, Dockerfile: c.flag, Stdin: iotest.OneByteReader(strings.NewReader(c.stdin))})
			if err != nil {
				t.Fatal(err)
			}
			if got.Remote != c.remote || (got.Dockerfile == nil) != (c.text == nil) || c.text != nil && string(got.Dockerfile) != *c.text {
				t.Errorf("%q, Dockerfile %q", got.Remote, got.Dockerfile)
			}
			if diff := cmp.Diff(c.tree, list(t, got.Dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func ptr(s string) *string { return &s }

func TestPrepareRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, text("FROM a\n"))
	for _, c := range []struct{ word, flag, stdin, want string }{
		{"-", "-", "", "can't use stdin for both build context and dockerfile"},
		{"-", "file", "FROM a", "ambiguous Dockerfile source"},
		{s.URL + "/Dockerfile", "-", "FROM a", "ambiguous Dockerfile source"},
		{"missing", "", "", `path "missing" not found`},
		{"file", "", "", `path "file" is not a folder`},
		{"ftp://user:hunter2@host/x", "", "", `path "ftp://xxxxx:xxxxx@host/x" not found`},
		{"https://host/x.git#--upload-pack=x", "", "", "invalid git ref"},
		{"https://host/x.git#main:../..", "", "", "leads out"},
		{"-", "", strings.Repeat("x", MaxDockerfile+1), "more than 8388608 bytes"},
		{"-", "", string(tarOf(t, file("../x", ""))), "leads out of the build context"},
		{"-", "", "\x1f\x8b\x08rubbish", "gzip"},
	} {
		got, err := Prepare(t.Context(), t.TempDir(), Spec{Word: c.word, Dockerfile: c.flag, Stdin: strings.NewReader(c.stdin)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -f %s: %+v, %v; want %q", c.word, c.flag, got, err, c.want)
		}
	}
}

func TestPrepareRepository(t *testing.T) {
	f := newForge(t)
	r := f.repo("app")
	want := r.commit("Dockerfile", "FROM scratch\n", "d/x", "x")
	for _, c := range []struct {
		address string
		keep    bool
		tree    string
	}{
		{"", false, "Dockerfile: FROM scratch\nd/\nd/x: x\n"},
		{"#main:d", true, "x: x\n"},
	} {
		scratch := t.TempDir()
		word := strings.Replace(r.url(), "http://", "http://user:hunter2@", 1) + c.address
		got, err := Prepare(t.Context(), scratch, Spec{Word: word, KeepGitDir: c.keep})
		if err != nil {
			t.Fatal(err)
		}
		if rel, err := filepath.Rel(scratch, got.Dir); err != nil || !filepath.IsLocal(rel) || got.Commit != want || got.Dockerfile != nil ||
			got.Remote != strings.Replace(r.url(), "http://", "http://xxxxx:xxxxx@", 1)+c.address {
			t.Errorf("%s: %+v, %v", c.address, got, err)
		}
		if tree := list(t, got.Dir); tree != c.tree {
			t.Errorf("%s: %s", c.address, tree)
		}
	}
	for _, keep := range []Spec{{Word: r.url(), KeepGitDir: true}, {Word: r.url() + "?keep-git-dir"}} {
		got, err := Prepare(t.Context(), t.TempDir(), keep)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(got.Dir, ".git", "HEAD")); err != nil {
			t.Errorf("%s: %v", keep.Word, err)
		}
	}
}

// A Dockerfile in the archive that is a link stays one: whoever opens it does so within the folder, and nothing outside has changed.
func TestPrepareLeavesALinkedDockerfile(t *testing.T) {
	y := newYard(t)
	archive := tarOf(t, symlink("Dockerfile", filepath.Join(y.canary, "file")), file("x", "x"))
	got, err := Prepare(t.Context(), y.dir, Spec{Word: "-", Stdin: bytes.NewReader(archive)})
	if err != nil {
		t.Fatal(err)
	}
	y.check(t)
	root, err := os.OpenRoot(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if f, err := root.Open("Dockerfile"); err == nil {
		f.Close()
		t.Error("the link leads out of the context")
	}
}

func TestIsArchive(t *testing.T) {
	var long bytes.Buffer
	long.Write(tarOf(t, file(strings.Repeat("long/", 100)+"name", "x")))
	for name, c := range map[string]struct {
		data string
		want bool
	}{
		"tar":                {string(tarOf(t, file("a", "x"))), true},
		"tar with long name": {long.String(), true},
		"bzip2":              {"BZh91AY&SY", true},
		"xz":                 {"\xfd7zXZ\x00", true},
		"zstd, skippable":    {"\x52\x2a\x4d\x18", true},
		"gzip":               {"\x1f\x8b\x08", true},
		"text":               {"FROM scratch\n", false},
		"long text":          {strings.Repeat("# comment\n", 200), false},
		"nothing":            {"", false},
	} {
		if got := IsArchive([]byte(c.data[:min(len(c.data), archiveHead)])); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
