//go:build linux

package boot_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// A stage must be gone before the packages are initialised that only commands need: it would cost every container its time. A supervisor is none of
// these: it has networks to make, and begins while the command that wants it is still being initialised itself.
func TestStagesBranchOffBeforeHeavyPackages(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "learn")
	build := exec.Command("go", "build", "-o", binary, "github.com/learn-containers/learn/cmd/learn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, stage := range []string{shim.StageInit, shim.StageExec, shim.StageUserNS, shim.StageProbe, shim.StageReap, shim.StageFiles, bundle.StageCreate, bundle.StageExec} {
		cmd := exec.Command(binary)
		cmd.Env = []string{shim.StageVariable + "=" + stage, "GODEBUG=inittrace=1"}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = []*os.File{null, null}
		out, _ := cmd.CombinedOutput() // nobody speaks to the stage, so it ends at once
		_ = null.Close()
		seen := 0
		for _, line := range strings.Split(string(out), "\n") {
			name, ok := strings.CutPrefix(line, "init ")
			if !ok {
				continue
			}
			seen++
			name, _, _ = strings.Cut(name, " ")
			for _, heavy := range []string{"regexp", "net", "text/template", "html/template", "github.com/opencontainers/go-digest"} {
				if name == heavy || strings.HasPrefix(name, heavy+"/") {
					t.Errorf("stage %s initialises %s", stage, name)
				}
			}
		}
		if seen == 0 {
			t.Errorf("stage %s: no trace of initialisers in %q", stage, out)
		}
	}
}
