package difftest

import (
	"context"
	"testing"

	simtree "github.com/learn-containers/learn/engine/driver/sim/tree"
	"github.com/learn-containers/learn/engine/home"
)

// simSide is the simulator's side. Its clock stands still. After each live tree the stores are opened anew, as by another process.
func simSide(t testing.TB, dir string) *side {
	t.Helper()
	h, err := home.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &side{name: "sim"}
	fresh := func() *simtree.Snapshots {
		layers := simtree.NewLayers(h, stamp)
		snaps := simtree.NewSnapshots(h, layers, stamp)
		s.layers, s.snapshots = layers, snaps
		return snaps
	}
	snaps := fresh()
	s.open = func(key string) (tree, func() error, error) {
		u, err := snaps.Open(context.Background(), key, nil)
		if err != nil {
			return nil, nil, err
		}
		return u, func() error {
			err := u.Close()
			snaps = fresh() // what it remembers is not to be asked, but what is on disk
			return err
		}, nil
	}
	return s
}
