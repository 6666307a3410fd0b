//go:build linux

package linux

import (
	"context"
	"fmt"
	"strconv"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

var _ driver.Revealer = (*task)(nil)

// Reveal implements driver.Revealer.
func (t *task) Reveal(ctx context.Context) (driver.Reveal, error) {
	rec, ok := shim.ReadRecord(t.dir)
	if !ok {
		return driver.Reveal{}, fmt.Errorf("container %s: %w", t.id, driver.ErrNotRunning)
	}
	reply, err := t.ask(ctx, shim.Request{Do: shim.DoReveal, Files: driver.RevealedFiles, Links: driver.RevealedLinks})
	if err != nil {
		return driver.Reveal{}, err
	}
	if reply.Reveal == nil {
		return driver.Reveal{}, fmt.Errorf("container %s: its supervisor is of an older version and can't show this", t.id)
	}
	r := driver.Reveal{Pid: rec.Pid, Proc: "/proc/" + strconv.Itoa(rec.Pid), Files: reply.Reveal.Files, Links: reply.Reveal.Links, Machine: reply.Reveal.Machine}
	for _, g := range reply.Reveal.Groups {
		r.Groups = append(r.Groups, driver.RevealedGroup(g))
	}
	return r, nil
}
