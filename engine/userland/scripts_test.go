package userland_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what the scripts print now to their files")

// scripts are the userland's own scripts, by name.
func scripts(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/scripts/*.sh")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	all := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".sh")] = string(data)
	}
	return all
}

func TestScripts(t *testing.T) {
	for name, text := range scripts(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := newToy(t).script(t, text, strings.NewReader(""))
			file := filepath.Join("testdata/scripts", name+".out")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The scripts that are about the language, not about the words of error messages, print the same under the host's bash.
func TestScriptsUnderTheHostsShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("this machine has no bash")
	}
	for name, text := range scripts(t) {
		if !slices.Contains([]string{"heredocs", "functions", "variables", "control"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata/scripts", name+".out"))
			if err != nil {
				t.Fatal(err)
			}
			tmp := t.TempDir() // the scripts' /tmp
			c := exec.Command(bash, "-c", strings.ReplaceAll(text, "/tmp/", tmp+"/"), "sh")
			c.Dir = tmp
			got, err := c.CombinedOutput()
			got = bytes.ReplaceAll(got, []byte(tmp+"/"), []byte("/tmp/"))
			if exit, ok := err.(*exec.ExitError); ok {
				got = append(got, code(exit.ExitCode())...)
			}
			if diff := cmp.Diff(string(got), string(want)); diff != "" {
				t.Errorf("bash (-) and the file (+):\n%s", diff)
			}
		})
	}
}
