//go:build linux

package linux

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"

	"github.com/learn-containers/learn/engine/driver/linux/shim"
	"github.com/learn-containers/learn/engine/home"
)

// ownerTag stands for a home in names that are outside of it.
func ownerTag(root string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(root))
	return fmt.Sprintf("%08x", h.Sum32())
}

// Leaks lists, in words, what killed processes left on this machine that belongs to the home and that no container of it will
// take care of: control groups without processes, and processes whose supervisor is gone. An empty list is as it should be.
func (r *Runtime) Leaks(ctx context.Context) []string {
	var found []string
	for _, dir := range shim.DeadGroups(ownerTag(r.home.Root()), r.mode.Rootless) {
		found = append(found, "control group without processes: "+dir)
	}
	entries, err := os.ReadDir(r.home.Containers())
	if err != nil {
		return found
	}
	boot := home.BootID()
	for _, e := range entries {
		dir := filepath.Join(r.home.Containers(), e.Name())
		rec, ok := shim.ReadRecord(dir)
		if !ok || ctx.Err() != nil {
			continue
		}
		if rec.Running(boot) && !rec.Supervised(boot) {
			found = append(found, fmt.Sprintf("process %d of %s runs without its supervisor", rec.Pid, e.Name()))
		}
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err != nil && rec.Supervised(boot) {
			found = append(found, fmt.Sprintf("supervisor %d serves a container without a record: %s", rec.ShimPid, e.Name()))
		}
	}
	return found
}
