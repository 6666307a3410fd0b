//go:build linux

package shim

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/learn-containers/learn/engine/driver/eventlog"
)

// A controller that another supervisor has just asked for is listed before its files are there. Folders stand for the groups.
func TestLimitAsksAgainWhereFilesAreMissing(t *testing.T) {
	for _, c := range []struct {
		rule, asked string
		there       bool
	}{
		{"the file is there", "memory", true},
		{"it is not there yet", "+memory", false},
	} {
		base := t.TempDir()
		group, shared := filepath.Join(base, groupParent, "id"), filepath.Join(base, groupParent, "cgroup.subtree_control")
		err := errors.Join(os.MkdirAll(group, 0o755), os.WriteFile(filepath.Join(base, "cgroup.subtree_control"), []byte("memory"), 0o644), os.WriteFile(shared, []byte("memory"), 0o644))
		if c.there {
			err = errors.Join(err, os.WriteFile(filepath.Join(group, "memory.max"), nil, 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
		g := &groups{id: "id", name: "id", log: &eventlog.Log{}, unified: -1, members: []Hierarchy{{"unified", group, 2}}}
		err = g.limit([]MountedHierarchy{{Dir: base, Base: base, Version: 2, Controllers: []string{"memory"}}}, settings(Limits{MemoryBytes: 100})[0])
		if c.there && err != nil || !c.there && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", c.rule, err)
		}
		if asked, _ := os.ReadFile(shared); string(asked[:min(len(asked), len(c.asked))]) != c.asked {
			t.Errorf("%s: the group above holds %q, want %q", c.rule, asked, c.asked)
		}
	}
}
