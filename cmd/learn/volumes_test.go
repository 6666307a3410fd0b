package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/learn-containers/learn/trace/tracetest"
)

// TestVolumesAreTheSameOnBothDrivers holds what a session with volumes prints and what its trace says on the two against each other.
func TestVolumesAreTheSameOnBothDrivers(t *testing.T) {
	needRoot(t)
	commands := [][]string{
		{"volume", "create", "data"},
		{"run", "--name", "one", "-v", "data:/d", "-v", "/anon", "learn/base", "sh", "-c", "echo a > /d/f; sleep 0.1; mkdir /d/s; sleep 0.2; echo b > /d/s/g; sleep 0.1; echo more >> /d/f; sleep 0.1; echo layer > /layer"},
		{"run", "--name", "two", "--volumes-from", "one:ro", "-v", "etc:/etc", "learn/base", "sh", "-c", "cat /d/f /d/s/g; ls -A /etc; rm /d/f; rm /etc/issue; ls -ld /anon | cut -c1-22"}, // not its size, which is the file system's
		{"diff", "one"},
		{"ps", "-a", "--format", "{{.Names}} {{.Mounts}} {{.LocalVolumes}}"},
		{"run", "--rm", "-v", "data:/proc", "learn/base", "true"},
		{"run", "--rm", "--mount", "type=volume,src=data,dst=/s,volume-subpath=s", "learn/base", "sh", "-c", "ls /s; mv /s/g /s/h"},
		{"volume", "rm", "data"},
		{"rm", "-v", "one", "two"},
		{"volume", "prune", "-af"},
	}
	labs := []*lab{newLab(t, nativeName), newLab(t, simName)}
	for _, words := range commands {
		var codes []int
		for _, l := range labs {
			codes = append(codes, l.docker(words...))
		}
		if codes[0] != codes[1] {
			t.Errorf("%q: exit code %d on the kernel and %d on the simulator", words, codes[0], codes[1])
		}
	}
	if d := cmp.Diff(labs[0].out.String(), labs[1].out.String()); d != "" {
		t.Errorf("output (-kernel +simulator)\n%s", d)
	}
	if d := tracetest.Difference(labs[0].events(), labs[1].events()); d != "" {
		t.Error("the simulator tells another story than the kernel: ", d)
	}
}

// secrets is a folder outside every container, and a function that tells what is in it.
func secrets(t *testing.T) (dir string, list func() string) {
	t.Helper()
	dir = t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "secret"), []byte("outside\n"), 0o600))
	check(t, os.Mkdir(filepath.Join(dir, "deep"), 0o700))
	return dir, func() string {
		var b strings.Builder
		check(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
			check(t, err)
			fi, err := d.Info()
			check(t, err)
			fmt.Fprintln(&b, p, fi.Mode(), fi.ModTime())
			return nil
		}))
		return b.String()
	}
}

// TestImageVolumesStayInside makes images whose VOLUME leads outside, by dots and by links (CVE-2022-23648): nothing of the host gets into the
// volume, and nothing outside changes.
func TestImageVolumesStayInside(t *testing.T) { onBothDrivers(t, imageVolumesStayInside) }

func imageVolumesStayInside(t *testing.T, driver string) {
	m := newMachine(t, driver)
	dir, list := secrets(t)
	before := list()
	for _, where := range []string{"/../../..", "/evil", "/dots", "/evil/deep", "/a/../../evil/../evil"} {
		m.write("Dockerfile", "FROM learn/base\nRUN ln -s "+dir+" /evil && ln -s ../../../../../../../.."+dir+" /dots\nVOLUME "+where+"\n")
		m.must("build", "-q", "-t", "img", ".")
		r := m.docker("run", "--rm", "img", "sh", "-c", "ls -AR "+where+" /evil /dots; cat "+where+"/secret; true")
		if strings.Contains(r.out, "secret") || strings.Contains(r.out, "outside") {
			t.Errorf("VOLUME %s: the container sees\n%s", where, r.out)
		}
		if where == "/../../.." && (r.code != 125 || !strings.Contains(r.err, "destination can't be '/'")) {
			t.Errorf("VOLUME %s: exit code %d, %s", where, r.code, r.err)
		}
	}
	// Links inside a volume: a subpath, a further mount, an export of what lies below.
	m.must("run", "--rm", "-v", "vol:/v", "learn/base", "sh", "-c", "ln -s "+dir+" /v/x; ln -s ../../../../../../../../../.."+dir+" /v/y; ln -s /proc/self/root"+dir+" /v/z")
	for _, sub := range []string{"x", "y", "z", "x/deep", "y/secret"} {
		if r := m.docker("run", "--rm", "--mount", "type=volume,src=vol,dst=/s,volume-subpath="+sub, "learn/base", "sh", "-c", "ls -A /s; cat /s/secret /s"); strings.Contains(r.out, "secret") || strings.Contains(r.out, "outside") {
			t.Errorf("subpath %s: the container sees\n%s", sub, r.out)
		}
	}
	for _, l := range []string{"x", "y", "z"} {
		if r := m.docker("run", "--rm", "-v", "vol:/v", "-v", "other:/v/"+l+"/made", "learn/base", "ls", "-A", "/v/"+l); strings.Contains(r.out, "secret") {
			t.Errorf("a mount through %s: the container sees\n%s", l, r.out)
		}
	}
	if after := list(); after != before {
		t.Errorf("outside changed:\n%swas\n%s", after, before)
	}
	if r := m.docker("system", "check"); r.code != 0 {
		t.Errorf("check: %s%s", r.out, r.err)
	}
}

// TestVolumesAreMadeAndRemovedAtOnce has processes make containers with a volume while others remove it: every container that there is has its
// volume.
func TestVolumesAreMadeAndRemovedAtOnce(t *testing.T) { onBothDrivers(t, volumesAtOnce) }

func volumesAtOnce(t *testing.T, driver string) {
	m := newMachine(t, driver)
	m.must("create", "--name", "warm", "learn/base", "true")
	var wait sync.WaitGroup
	for i := range 3 {
		wait.Go(func() {
			for j := range 3 {
				name := fmt.Sprintf("c%d-%d", i, j)
				if r := m.docker("create", "--name", name, "-v", "shared:/etc", "learn/base", "ls", "/etc/passwd"); r.code != 0 {
					t.Errorf("create: %s", r.err)
				}
				if j < 2 {
					m.docker("rm", name)
				}
				if r := m.docker("volume", "rm", "shared"); r.code != 0 && !strings.Contains(r.err, "volume is in use") && !strings.Contains(r.err, "no such volume") {
					t.Errorf("volume rm: %s", r.err)
				}
			}
		})
	}
	wait.Wait()
	if r := m.docker("system", "check"); r.code != 0 {
		t.Errorf("check: %s%s", r.out, r.err)
	}
	for i := range 3 {
		if out := m.must("start", "-a", fmt.Sprintf("c%d-2", i)); out != "/etc/passwd" {
			t.Errorf("a container finds in its volume: %s", out)
		}
	}
}
