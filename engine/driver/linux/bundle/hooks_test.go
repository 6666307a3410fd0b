//go:build linux

package bundle_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// hook is one that notes its kind, the state's status and its environment in a file. It runs a script of the root or of the host.
func hook(kind, log string) []specs.Hook {
	return []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", `read -r s; echo "` + kind + ` $(echo "$s" | tr -d '" ' | tr ',' '\n' | grep status) $(env | grep -c -e PRELOAD -e SECRET)" >>` + log}, Env: []string{"PATH=/bin"}}}
}

func TestHooks(t *testing.T) {
	l := newLab(t)
	log := filepath.Join(t.TempDir(), "log")
	inside := filepath.Join(l.dir, "rootfs", "log")
	l.env = []string{"LD_PRELOAD=/nosuch.so", "SECRET=1"}
	l.spec.Process.Env = append(l.spec.Process.Env, "LD_PRELOAD=/evil.so", "SECRET=2")
	//lint:ignore SA1019 engines still write prestart hooks
	l.spec.Hooks = &specs.Hooks{Prestart: hook("prestart", log), CreateRuntime: hook("createRuntime", log), CreateContainer: hook("createContainer", log),
		StartContainer: hook("startContainer", "/log"), Poststart: hook("poststart", log), Poststop: hook("poststop", log)}
	l.config("unset LD_PRELOAD; exec sleep 1000")
	read := func(name string) string { data, _ := os.ReadFile(name); return string(data) }
	l.ok("create", "c")
	if got, want := read(log), "prestart status:created 0\ncreateRuntime status:creating 0\ncreateContainer status:creating 0\n"; got != want {
		t.Errorf("after create:\n%swant\n%s", got, want)
	}
	if read(inside) != "" {
		t.Error("startContainer ran at create")
	}
	l.ok("start", "c")
	if got, want := read(inside), "startContainer status:created 0\n"; got != want {
		t.Errorf("inside after start: %q, want %q", got, want)
	}
	l.ok("delete", "--force", "c")
	if got := read(log); !strings.HasSuffix(got, "poststart status:running 0\npoststop status:stopped 0\n") {
		t.Errorf("after delete:\n%s", got)
	}
}

// A hook that fails before the program runs undoes the container, and poststop hooks are told.
func TestFailingHooks(t *testing.T) {
	second := 1
	bad := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo sorry >&2; exit 3"}, Env: []string{"PATH=/bin"}}}
	slow := []specs.Hook{{Path: "/bin/sleep", Args: []string{"sleep", "1000"}, Timeout: &second}}
	for name, c := range map[string]struct {
		hooks *specs.Hooks
		verb  string
		want  string
	}{
		//lint:ignore SA1019 engines still write prestart hooks
		"prestart":        {&specs.Hooks{Prestart: bad}, "create", "sorry"},
		"createRuntime":   {&specs.Hooks{CreateRuntime: bad}, "create", "exit status 3"},
		"createContainer": {&specs.Hooks{CreateContainer: bad}, "create", "sorry"},
		"startContainer":  {&specs.Hooks{StartContainer: bad}, "start", "sorry"},
		"poststart":       {&specs.Hooks{Poststart: bad}, "start", "sorry"},
		"timeout":         {&specs.Hooks{CreateRuntime: slow}, "create", "did not end within 1 s"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			log := filepath.Join(t.TempDir(), "log")
			l.spec.Hooks = c.hooks
			l.spec.Hooks.Poststop = hook("poststop", log)
			l.config("exec sleep 1000")
			if c.verb == "create" {
				l.fails(c.want, "create", "c")
				l.fails("does not exist", "state", "c")
			} else {
				l.ok("create", "c")
				l.fails(c.want, "start", "c")
				wait(t, "it is stopped", func() bool { return l.status("c") == specs.StateStopped })
				l.ok("delete", "c")
			}
			if data, _ := os.ReadFile(log); !strings.HasPrefix(string(data), "poststop") {
				t.Errorf("poststop did not run: %q", data)
			}
		})
	}
}

func TestAnnotationsInState(t *testing.T) {
	l := newLab(t)
	l.spec.Annotations = map[string]string{"org.example.key": "value"}
	l.config("exec sleep 1000")
	l.ok("create", "c")
	var s specs.State
	must(t, json.Unmarshal([]byte(l.ok("state", "c")), &s))
	if s.Annotations["org.example.key"] != "value" || s.Version != specs.Version {
		t.Errorf("%+v", s)
	}
}
