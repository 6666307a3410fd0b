//go:build linux

package linux

import (
	"context"
	"fmt"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/filter"
	"github.com/learn-containers/learn/engine/driver/linux/shim"
)

var (
	_ driver.Witness = (*task)(nil)
	_ driver.Sender  = (*task)(nil)
)

// Evidence implements driver.Witness.
func (t *task) Evidence(context.Context) (driver.Evidence, error) {
	seen := shim.ReadEvidence(t.dir)
	var e driver.Evidence
	for _, s := range seen.Signals {
		sig := driver.Signal(s.Signal)
		e.Signals = append(e.Signals, driver.SentSignal{Signal: sig, Why: s.Why, At: s.At, Client: s.Client, Fate: driver.FateOf(sig, s.Blocked, s.Ignored, s.Caught)})
	}
	for _, r := range seen.Refused {
		e.Refused = append(e.Refused, driver.RefusedCall{Name: callName(r.Arch, r.Number), Count: r.Count, PID: r.PID, Program: r.Program})
	}
	return e, nil
}

// callName names a system call of this machine's architecture.
func callName(of uint32, number int32) string {
	if of != filter.NativeArchitecture() {
		return fmt.Sprintf("number %d of architecture %#x", number, of)
	}
	for name, n := range filter.Native() {
		if n == uint32(number) {
			return name
		}
	}
	return fmt.Sprintf("number %d", number)
}
