package difftest

import (
	"context"
	"testing"
	"time"

	simtree "github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
)

// simSide is the simulator's side. Its clock stands still.
func simSide(t testing.TB, dir string) *side {
	t.Helper()
	h, err := home.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return stamp() }
	layers := simtree.NewLayers(h, now)
	snaps := simtree.NewSnapshots(h, layers, now)
	return &side{name: "sim", layers: layers, snapshots: snaps, open: func(key string) (tree, func() error, error) {
		u, err := snaps.Open(context.Background(), key, nil)
		if err != nil {
			return nil, nil, err
		}
		return u, u.Close, nil
	}}
}
