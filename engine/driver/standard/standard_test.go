package standard

import (
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	for _, tc := range []struct {
		mount Mount
		want  string
	}{
		{Proc(), "nosuid,nodev,noexec"},
		{Dev(), "nosuid,nodev,mode=755,size=65536k,source=tmpfs"},
		{UnderDev(0)[0], "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{Sys(false), "ro,nosuid,nodev,noexec"},
		{Sys(true), "nosuid,nodev,noexec"},
		{Tmpfs("/t", false, []string{"size=1m", "exec", "rw"}), "nosuid,nodev,size=1m"},
		{Tmpfs("/t", true, nil), "ro,nosuid,nodev,noexec"},
		{File(true, 0o400, 0, 10), "ro,nosuid,nodev,noexec,mode=0400,uid=0,gid=10"},
		{File(false, 0o755, 1<<31-1, 7), "nosuid,nodev,mode=0755,uid=2147483647,gid=7"},
		{Tmpfs("/t", false, []string{"ro", "mode=0700"}), "ro,nosuid,nodev,noexec,mode=0700"},
	} {
		if got := tc.mount.Describe(); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.mount.Target, got, tc.want)
		}
	}
}

// Whoever could change one container's table would change the next one's.
func TestTablesAreFresh(t *testing.T) {
	MaskedPaths()[0], Devices()[0].Name, Capabilities()[0].Name, UnderDev(0)[0].Options[0].Key = "x", "x", "x", "x"
	if MaskedPaths()[0] == "x" || Devices()[0].Name == "x" || Capabilities()[0].Name == "x" || UnderDev(0)[0].Options[0].Key == "x" {
		t.Error("a caller can change the tables")
	}
}

func TestPathsAreClean(t *testing.T) {
	folders, files := MountPoints()
	for _, p := range slices.Concat(MaskedPaths(), ReadOnlyPaths(), []string{Proc().Target, Dev().Target, Sys(false).Target, Cgroup().Target}) {
		if p != path.Clean(p) || !path.IsAbs(p) {
			t.Errorf("%q is not a clean absolute path", p)
		}
	}
	for _, p := range files {
		if !slices.Contains(folders, path.Dir(p)) {
			t.Errorf("the folder of %s is no mount point's", p)
		}
	}
}

func TestNameFiles(t *testing.T) {
	files := NameFiles("box")
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"hosts", "hostname", "resolv.conf"}, names); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(files[0].Content, "127.0.0.1\tbox\n") || files[1].Content != "box\n" {
		t.Errorf("the host name is missing: %+v", files)
	}
}

// The first stage of every container loads this package. What is allowed it has loaded anyway.
func TestImportsAreLean(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if name, _ := strconv.Unquote(i.Path.Value); !slices.Contains([]string{"math", "path", "strconv", "strings"}, name) {
				t.Errorf("%s imports %s", e.Name(), name)
			}
		}
	}
}
