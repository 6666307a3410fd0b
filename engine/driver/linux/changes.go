//go:build linux

package linux

import (
	"context"
	"fmt"
	"path"
	"sort"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/linux/cow"
)

// Changes implements driver.Snapshots. A file that was copied up counts as modified even if it ended as it was; a folder
// counts if its mode or owner changed, or anything in it did.
func (s *Snapshots) Changes(ctx context.Context, key string) ([]driver.Change, error) {
	rec, err := s.read(key)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}
	lowers, _, err := s.layers.lowers(rec.Chain)
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", key, err)
	}
	var found []driver.Change
	plain := map[string]bool{} // folders that count only if something in them does
	err = cow.Scan(s.upper(key), cow.NewStack(lowers, s.mode.UserXattr), func(c cow.Change) error {
		if c.Plain && !c.Opaque {
			plain[c.Path] = true
			return ctx.Err()
		}
		found = append(found, driver.Change{Path: c.Path, Kind: driver.ChangeKind(c.Kind)})
		return ctx.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list changes of %s: %w", key, err)
	}
	return rooted(withParents(found, plain)), nil
}

// withParents adds the folders of plain that are above one of changes.
func withParents(changes []driver.Change, plain map[string]bool) []driver.Change {
	for _, c := range changes {
		for dir := path.Dir(c.Path); dir != "." && plain[dir]; dir = path.Dir(dir) {
			delete(plain, dir)
			changes = append(changes, driver.Change{Path: dir, Kind: driver.Modified})
		}
	}
	return changes
}

func rooted(changes []driver.Change) []driver.Change {
	for i := range changes {
		changes[i].Path = "/" + changes[i].Path
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Path < changes[j].Path })
	return changes
}

var _ driver.Snapshots = (*Snapshots)(nil)
var _ driver.Trees = (*Snapshots)(nil)
var _ driver.Layers = (*Layers)(nil)
