package image

import (
	"github.com/moby/moby/api/types/events"
	"github.com/opencontainers/go-digest"

	"github.com/learn-containers/learn/engine/oci"
)

// tell appends docker's event of an image to the engine's log. Where docker has no name at hand it names the image by its id.
func (s *Store) tell(action events.Action, id digest.Digest, name string) {
	if s.Events == nil {
		return
	}
	if name == "" {
		name = id.String()
	}
	s.Events.Add(events.ImageEventType, action, id.String(), map[string]string{"name": name})
}

func (s *Store) tellTags(id digest.Digest, tags []tagged) {
	for _, t := range tags {
		s.tell(events.ActionTag, id, t.ref.Familiar())
	}
}

// tellTransfer tells of a pull or push, which docker names by the reference.
func (s *Store) tellTransfer(action events.Action, ref oci.Ref) {
	s.Events.Add(events.ImageEventType, action, ref.Familiar(), map[string]string{"name": ref.Repository()})
}
