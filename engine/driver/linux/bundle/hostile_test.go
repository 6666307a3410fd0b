//go:build linux

package bundle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/learn-containers/learn/engine/driver/linux/bundle"
)

// Links of the root lead to places in the root, and none into /proc.
func TestLinksStayInside(t *testing.T) {
	outside := t.TempDir()
	for name, c := range map[string]struct{ link, to, dest, want string }{
		"folder":         {"out", outside, "/out/made", "not a directory"},
		"up":             {"out", "../../../../../../../../.." + outside, "/out/made", "not a directory"},
		"proc":           {"out", "/proc/self", "/out/attr", "by a link"},
		"proc itself":    {"", "", "/proc", ""},
		"masked is link": {"etc/x", filepath.Join(outside, "f"), "/m", ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			must(t, os.WriteFile(filepath.Join(outside, "f"), []byte("host"), 0o644))
			if c.link != "" {
				must(t, os.Symlink(c.to, filepath.Join(l.dir, "rootfs", c.link)))
			}
			if name == "proc itself" {
				must(t, os.Remove(filepath.Join(l.dir, "rootfs", "proc")))
				must(t, os.Symlink("etc", filepath.Join(l.dir, "rootfs", "proc")))
				c.want = "must be a folder, not a link"
			}
			l.spec.Linux.MaskedPaths = append(l.spec.Linux.MaskedPaths, "/etc/x")
			if c.dest != "/proc" {
				l.mountAt(specs.Mount{Destination: c.dest, Type: "tmpfs"})
			}
			l.config("true")
			if c.want != "" {
				l.fails(c.want, "run", "c")
			} else {
				l.ok("run", "c")
			}
			if _, err := os.Lstat(filepath.Join(outside, "made")); err == nil {
				t.Error("something was made on the host")
			}
			if data, _ := os.ReadFile(filepath.Join(outside, "f")); string(data) != "host" {
				t.Errorf("the host's file: %q", data)
			}
		})
	}
}

// What the caller has open, its environment and its session do not reach the container, except for what it hands down.
func TestNothingLeaks(t *testing.T) {
	l := newLab(t)
	l.env = []string{"SECRET=1", "LD_PRELOAD=/nosuch.so"}
	f, err := os.Open(l.dir)
	must(t, err)
	defer f.Close()
	for _, n := range []string{"0", "1"} {
		l.config("env | grep -c -e SECRET -e PRELOAD; for f in /proc/1/fd/*; do echo ${f##*/}; done")
		cmd := l.command("run", "--preserve-fds", n, "c")
		cmd.ExtraFiles = []*os.File{f, f}
		out, err := cmd.Output() // a loader of the test itself may complain on standard error
		want := map[string]string{"0": "0 0 1 2 3", "1": "0 0 1 2 3 4"}[n]
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != strings.Join(strings.Fields(want), " ") {
			t.Errorf("with %s handed down: %v %q, want %q", n, err, got, want)
		}
	}
}

func TestRefusedConfigs(t *testing.T) {
	for name, c := range map[string]struct{ config, want string }{
		"version":          {`{"ociVersion":"2.0.0","root":{"path":"r"}}`, "version 1"},
		"no root":          {`{"ociVersion":"1.0.0"}`, "root.path"},
		"two values":       {`{"ociVersion":"1.0.0","root":{"path":"r"}} {}`, "more than one value"},
		"zero byte":        {`{"ociVersion":"1.0.0","root":{"path":"r"},"mounts":[{"destination":"/a\u0000b","type":"tmpfs"}]}`, "zero byte"},
		"namespace":        {`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"namespaces":[{"type":"nosuch"}]}}`, "no such type"},
		"namespace twice":  {`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"namespaces":[{"type":"pid"},{"type":"pid"}]}}`, "twice"},
		"machine's name":   {`{"ociVersion":"1.0.0","root":{"path":"r"},"hostname":"x"}`, "uts namespace"},
		"machine's sysctl": {`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"sysctl":{"kernel.panic":"1"}}}`, "the machine's"},
		"host's net":       {`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"sysctl":{"net.ipv4.ip_forward":"1"}}}`, "the machine's"},
		"id map":           {`{"ociVersion":"1.0.0","root":{"path":"r"},"mounts":[{"destination":"/a","type":"bind","uidMappings":[{"size":1}]}]}`, "id maps"},
		"hook":             {`{"ociVersion":"1.0.0","root":{"path":"r"},"hooks":{"poststop":[{"path":"relative"}]}}`, "absolute"},
		"limit":            {`{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_X"}]}}`, "no such limit"},
		"folder":           {`{"ociVersion":"1.0.0","root":{"path":"r"},"process":{"args":["a"],"cwd":"rel"}}`, "absolute"},
		"rdt":              {`{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{"intelRdt":{}}}`, "intelRdt"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := bundle.ParseConfig([]byte(c.config)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
		})
	}
}

// Whatever is in a config.json, it is refused, or in bounds.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"args":["sh"],"cwd":"/","env":["A=b"],"execCPUAffinity":{"initial":"0-2,4"}},"linux":{"namespaces":[{"type":"pid"}]}}`))
	f.Add([]byte(`{"ociVersion":"1.3.0","root":{"path":"r"},"mounts":[{"destination":"a","options":["rbind","rro","shared","x=y"]}],"linux":{"devices":[{"path":"/dev/x","type":"c"}],"rootfsPropagation":"rslave"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := bundle.ParseConfig(data)
		if err != nil {
			return
		}
		if spec.Root == nil || spec.Root.Path == "" || spec.Linux == nil {
			t.Fatal("accepted without what everything relies on")
		}
		for _, m := range spec.Mounts {
			if !filepath.IsAbs(m.Destination) || strings.ContainsRune(m.Destination+m.Source+m.Type, 0) {
				t.Fatalf("accepted mount %q", m.Destination)
			}
		}
		if p := spec.Process; p != nil && (len(p.Args) == 0 || !filepath.IsAbs(p.Cwd)) {
			t.Fatalf("accepted process %+v", p)
		}
	})
}
