package build_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/blob"
	"github.com/learn-containers/learn/engine/build"
	"github.com/learn-containers/learn/engine/driver/linux"
	"github.com/learn-containers/learn/engine/failpoint"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/image"
)

const (
	crashHome    = "BUILD_TEST_HOME"    // the process builds in this home, and dies there
	crashContext = "BUILD_TEST_CONTEXT" // of this context
)

// buildHere is the process that is killed in the middle of a build.
func buildHere(root, contextDir string) int {
	k := &kernel{dir: contextDir}
	var err error
	if k.home, err = home.Open(root); err == nil {
		err = k.open()
	}
	if err == nil {
		_, err = k.builder.Build(context.Background(), build.Options{ContextDir: contextDir, NoCache: true})
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

// open makes the builder in k.home.
func (k *kernel) open() error {
	blobs, err := blob.Open(k.home.Images())
	if err != nil {
		return err
	}
	mode := linux.Detect()
	layers := linux.NewLayers(k.home, mode)
	k.snapshots = linux.NewSnapshots(k.home, mode, layers)
	k.images = image.New(k.home, blobs, layers)
	k.builder = build.New(k.home, k.images, layers, k.snapshots, k.snapshots, linux.NewRuntime(k.home, mode, k.snapshots))
	return nil
}

// crash builds in a process of its own, which is killed at the failpoint, or by stop when the build shows what stop waits for.
func (k *kernel) crash(point string, stop func(pid int)) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashHome+"="+k.home.Root(), crashContext+"="+k.dir, failpoint.Variable+"="+point)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	check(k.t, cmd.Start())
	if stop != nil {
		stop(cmd.Process.Pid)
	}
	_ = cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() {
		k.t.Errorf("%s: the build was not killed: %v %s", point, cmd.ProcessState, stderr.String())
	}
}

// recover undoes the claims of dead builds, last first, as the engine does when it is opened.
func (k *kernel) recover() {
	k.t.Helper()
	orphans, err := k.home.Orphans()
	check(k.t, err)
	for _, o := range orphans {
		for _, c := range slices.Backward(o.Claims) {
			_, err := k.builder.UndoClaim(context.Background(), c)
			check(k.t, err)
		}
		check(k.t, o.Settle())
	}
}

func TestKilledBuildLeavesNothing(t *testing.T) {
	k := newKernel(t)
	k.write("Dockerfile", "FROM bb\nRUN echo one >/one\nCOPY Dockerfile /d\nWORKDIR /w\n")
	for _, point := range []string{
		"build.step.before-run", "build.step.after-run", "build.step.after-diff", "build.step.after-commit", "build.step.before-record",
		"build.step.after-record", "build.copy.before-commit", "build.copy.after-commit", "build.image.before-create", "build.image.after-create",
		"snapshot.commit.synced", "snapshot.commit.before-rename", "snapshot.commit.renamed",
	} {
		t.Run(point, func(t *testing.T) {
			k.t = t
			k.crash(point, nil)
			k.recover()
			k.clean()
		})
	}
	k.t = t
	if _, err := k.build(context.Background(), "FROM bb\nRUN echo one >/one\nCOPY Dockerfile /d\nWORKDIR /w\n"); err != nil {
		t.Errorf("the build does not work any more: %v\n%s", err, k.out.String())
	}
}

// TestKilledBuildTakesItsCommandAlong kills a build while its RUN is busy.
func TestKilledBuildTakesItsCommandAlong(t *testing.T) {
	k := newKernel(t)
	long := strconv.Itoa(100000 + os.Getpid()) // seconds, and the process's own mark
	k.write("Dockerfile", "FROM bb\nRUN sleep "+long+"\n")
	var pid int
	k.crash("none", func(build int) {
		for range 500 {
			if pid = runs("sleep", long); pid != 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		check(t, syscall.Kill(build, syscall.SIGKILL))
	})
	if pid == 0 {
		t.Fatal("the command never ran")
	}
	k.recover()
	k.clean()
	if runs("sleep", long) != 0 {
		t.Errorf("process %d of the killed build is alive", pid)
	}
}

// runs finds the process with these arguments.
func runs(argv ...string) (pid int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if string(cmdline) == strings.Join(argv, "\x00")+"\x00" {
			pid, _ = strconv.Atoi(e.Name())
		}
	}
	return pid
}
