//go:build linux

package cow

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestBefore(t *testing.T) {
	for release, want := range map[string]bool{"6.1.0-57-cloud-amd64": true, "5.15.0": true, "6.6.99": true, "6.7.0-rc1": false, "6.18.0": false, "7.0": false, "": false, "x": false} {
		if got := before(release, 6, 7); got != want {
			t.Errorf("%q before 6.7: %v", release, got)
		}
	}
}

// What a kernel does not tell of is found when somebody wants to know all; here on any kernel, since the file is not closed meanwhile.
func TestSyncFindsWritesThatNobodyTold(t *testing.T) {
	m := newMachine(t)
	m.watch.blind = true
	m.sh("mkdir new; echo x > new/f")
	m.watch.Sync()
	m.watch.Sync() // nothing has been written since
	f, err := os.OpenFile(filepath.Join(m.merged, "new/f"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString("y")
	must(t, err)
	m.watch.Sync()
	m.mu.Lock()
	defer m.mu.Unlock()
	if want := []string{"create /new dir 0", "create /new/f file 2", "write /new/f 3"}; !slices.Equal(m.events, want) {
		t.Errorf("%q, want %q", m.events, want)
	}
}
