//go:build linux

package linux

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/standard"
)

// probeVariable makes the test binary, as a container's program, try forbidden calls and print what came of each.
const probeVariable = "LEARN_TEST_CALLS"

func forbiddenCalls() map[string]func() error {
	call := func(nr uintptr, args ...uintptr) func() error {
		return func() error {
			var a [6]uintptr
			copy(a[:], args)
			if _, _, errno := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	return map[string]func() error{
		"socket(AF_ALG)":             call(unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		"socket(AF_ALG, upper half)": call(unix.SYS_SOCKET, unix.AF_ALG|1<<40, unix.SOCK_SEQPACKET, 0),
		"socket(AF_VSOCK)":           call(unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		"add_key":                    call(unix.SYS_ADD_KEY, 0, 0, 0, 0, 0),
		"keyctl":                     call(unix.SYS_KEYCTL, 0, ^uintptr(2), 0),
		"bpf":                        call(unix.SYS_BPF, 0, 0, 0),
		"perf_event_open":            call(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 0),
		"userfaultfd":                call(unix.SYS_USERFAULTFD, 0),
		"io_uring_setup":             call(unix.SYS_IO_URING_SETUP, 1, 0),
		"unshare(user)":              call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		"clone(new user)":            call(unix.SYS_CLONE, unix.CLONE_NEWUSER, 0, 0, 0, 0),
		"kexec_file_load":            call(unix.SYS_KEXEC_FILE_LOAD, 0, 0, 0, 0, 0),
		"setns":                      call(unix.SYS_SETNS, 0, 0),
		"mount":                      call(unix.SYS_MOUNT, 0, 0, 0, 0, 0),
		"kexec_load":                 call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0),
		"open_by_handle_at":          call(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0, 0),
		"clone3":                     call(unix.SYS_CLONE3, 0, 0),
	}
}

func TestSeccompRefuses(t *testing.T) {
	if os.Getenv(probeVariable) != "" {
		got := map[string]string{}
		for name, f := range forbiddenCalls() {
			got[name] = "allowed"
			if err := f(); err != nil {
				got[name] = unix.ErrnoName(err.(unix.Errno))
			}
		}
		must(t, json.NewEncoder(os.Stdout).Encode(got))
		os.Exit(0)
	}
	l := newLab(t)
	binary, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(l.lower, "bin/probe"), binary, 0o755))
	spec := l.spec(t, "probe", "-test.run=TestSeccompRefuses$")
	spec.Process.Env = append(spec.Process.Env, probeVariable+"=1")
	// Built with cgo, the test binary needs the machine's C library.
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib"} {
		if _, err := os.Stat(dir); err == nil {
			spec.Mounts = append(spec.Mounts, driver.Mount{Type: "bind", Source: dir, Target: dir, ReadOnly: true})
		}
	}
	out, _ := l.run(t, spec)
	var got map[string]string
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for name := range forbiddenCalls() {
		want := "EPERM"
		if name == "clone3" {
			want = "ENOSYS"
		}
		if got[name] != want {
			t.Errorf("%s: %s, want %s", name, got[name], want)
		}
	}
}

// What a command that starts a container pays for the filter.
func BenchmarkDefaultFilter(b *testing.B) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: standard.CapabilityNames()}}}
	for b.Loop() {
		rules, err := defaultRules(spec)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := compileFilter(rules); err != nil {
			b.Fatal(err)
		}
	}
}
