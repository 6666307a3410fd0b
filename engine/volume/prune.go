package volume

import (
	"context"
	"errors"
	"strconv"

	"github.com/moby/moby/api/types/events"
)

// Prune removes the volumes that no container has and that pick picks. It names them and counts the bytes of their files. What belongs to
// another driver, or is broken, is left alone.
func (s *Store) Prune(ctx context.Context, pick func(*Volume) bool) (gone []string, freed int64, err error) {
	all, err := s.List()
	if err != nil {
		return nil, 0, err
	}
	uses, err := s.Uses(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, v := range all {
		if v.Problem != nil || len(uses[v.Name]) > 0 || !pick(v) {
			continue
		}
		size, err := s.Size(ctx, v)
		if err != nil {
			return gone, freed, err
		}
		err = s.Remove(ctx, v.Name)
		if IsNotFound(err) || errors.As(err, new(*InUseError)) {
			continue // somebody was faster
		}
		if err != nil {
			return gone, freed, err
		}
		gone, freed = append(gone, v.Name), freed+max(size, 0)
	}
	s.Events.Add(events.VolumeEventType, events.ActionPrune, "", map[string]string{"reclaimed": strconv.FormatInt(freed, 10)})
	return gone, freed, nil
}
