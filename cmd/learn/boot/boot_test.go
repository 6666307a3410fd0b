//go:build linux

package boot_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

// A stage must be gone before the packages are initialised that only commands need: it would cost every container its time.
func TestStagesBranchOffBeforeHeavyPackages(t *testing.T) {
	binary := program(t)
	for _, stage := range []string{shim.StageInit, shim.StageExec, shim.StageUserNS, shim.StageProbe, shim.StageReap, shim.StageFiles, bundle.StageCreate, bundle.StageExec} {
		for _, name := range initialised(t, binary, stage) {
			if heavy(name) {
				t.Errorf("stage %s initialises %s", stage, name)
			}
		}
	}
}

// A supervisor makes networks, which takes heavy packages; but the first stage that it forks must not wait for them.
func TestSupervisorsForkBeforeHeavyPackages(t *testing.T) {
	names := initialised(t, program(t), shim.StageShim)
	forked := slices.Index(names, "github.com/learn-containers/learn/cmd/learn/boot")
	if forked < 0 {
		t.Fatalf("package boot is not among what a supervisor initialises: %q", names)
	}
	for _, name := range names[:forked] {
		if heavy(name) {
			t.Errorf("%s is initialised before a supervisor forks", name)
		}
	}
	for _, name := range names {
		if strings.HasPrefix(name, "github.com/spf13/cobra") {
			t.Errorf("a supervisor initialises %s", name)
		}
	}
}

// program builds the program.
func program(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "learn")
	build := exec.Command("go", "build", "-o", binary, "github.com/learn-containers/learn/cmd/learn")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// initialised lists the packages that a stage initialises, in their order. Nobody speaks to the stage, so it ends at once.
func initialised(t *testing.T, binary, stage string) []string {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(pair[0])
	silent := os.NewFile(uintptr(pair[1]), "connection")
	defer silent.Close()
	cmd := exec.Command(binary)
	cmd.Env = []string{shim.StageVariable + "=" + stage, "GODEBUG=inittrace=1"}
	cmd.ExtraFiles = []*os.File{silent, silent}
	out, _ := cmd.CombinedOutput()
	var names []string
	for _, line := range strings.Split(string(out), "\n") {
		if name, ok := strings.CutPrefix(line, "init "); ok {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Errorf("stage %s: no trace of initialisers in %q", stage, out)
	}
	return names
}

func heavy(name string) bool {
	return slices.ContainsFunc([]string{"regexp", "net", "text/template", "html/template", "github.com/opencontainers/go-digest"}, func(h string) bool {
		return name == h || strings.HasPrefix(name, h+"/")
	})
}
