package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStateFilesCutShort cuts each file of the state, to nothing and to its half, as a machine that lost power may. Every time commands must
// work, show what is whole, and name what is not.
func TestStateFilesCutShort(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, driver string) {
		t.Parallel()
		m := newMachine(t, driver)
		m.must("run", "--name", "ended", "learn/base", "sh", "-c", "echo said; exit 0")
		m.must("create", "--name", "made", "learn/base", "echo", "started")
		m.must("create", "--name", "other", "learn/base", "echo", "started")
		master := filepath.Join(t.TempDir(), "master")
		twin(t, m.home, master)
		for _, name := range stateFiles(t, master) {
			for _, part := range []int64{0, 2} {
				m.cutShort(master, name, part)
			}
		}
	})
}

// stateFiles lists the files that the engine itself writes: not what is in layers, not blobs, and no locks.
func stateFiles(t *testing.T, home string) []string {
	var names []string
	err := filepath.WalkDir(home, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(home, p)
		if err == nil && d.IsDir() && (d.Name() == "fs" || d.Name() == "files" || d.Name() == "upper" || d.Name() == "work" || d.Name() == "blobs" || d.Name() == "mountpoints") {
			return filepath.SkipDir
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > 1 {
			names = append(names, rel)
		}
		return nil
	})
	if err != nil || len(names) < 8 {
		t.Fatalf("%v, %q", err, names)
	}
	return names
}

// cutShort cuts one file to its part (0: to nothing) in a home that is whole but for that.
func (m *machine) cutShort(master, name string, part int64) {
	m.t.Helper()
	if err := os.RemoveAll(m.home); err != nil {
		m.t.Fatal(err)
	}
	twin(m.t, master, m.home)
	data, err := os.ReadFile(filepath.Join(master, name))
	if err != nil {
		m.t.Fatal(err)
	}
	if part == 0 {
		data = nil
	} else {
		data = data[:int64(len(data))/part]
	}
	file := filepath.Join(m.home, name)
	_ = os.Remove(file) // the master has the same one
	if err := os.WriteFile(file, data, 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.stillWorks(master, name, len(data))
}

// stillWorks looks at a home of which one file is cut.
func (m *machine) stillWorks(master, name string, size int) {
	m.t.Helper()
	complain := func(what string, r result) {
		m.t.Helper()
		m.t.Errorf("%s cut to %d bytes: %s: exit code %d\n%s%s", name, size, what, r.code, r.out, r.err)
	}
	r := m.docker("ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Status}}")
	if r.code != 0 {
		complain("ps -a", r)
	}
	broken := ""
	for _, want := range []string{"ended", "made", "other"} {
		id, err := os.Readlink(filepath.Join(master, "containers", "@"+want))
		if err != nil {
			m.t.Fatal(err)
		}
		id = filepath.Base(id)
		if !strings.Contains(r.out, id) {
			complain("ps -a does not show "+want, r)
		}
		if name == filepath.Join("containers", id, "config.json") {
			broken = want
			if !strings.Contains(r.out, id+"  Dead") && !strings.Contains(r.out, "Dead") {
				complain("ps -a does not say that "+want+" is broken", r)
			}
			if rm := m.docker("rm", id); rm.code != 0 {
				complain("rm of the broken one", rm)
			}
			continue
		}
		if !strings.Contains(r.out, " "+want+" ") {
			complain("ps -a does not name "+want, r)
		}
	}
	healthy := "made"
	if broken == "made" {
		healthy = "other"
	}
	if r := m.docker("start", "-a", healthy); (r.code != 0 || r.out != "started\n") && !strings.Contains(name, "snapshots") {
		complain("start -a "+healthy, r)
	}
}

// twin makes a folder of hard links to all that is in another one.
func twin(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, p)
		target := filepath.Join(to, rel)
		if d.IsDir() {
			info, err := d.Info()
			if err != nil {
				return err
			}
			return os.Mkdir(target, info.Mode().Perm())
		}
		return os.Link(p, target)
	})
	if err != nil {
		t.Fatal(err)
	}
}
