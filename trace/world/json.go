package world

import "encoding/json"

// MarshalJSON writes the world with empty lists, not null, where there is nothing.
func (w World) MarshalJSON() ([]byte, error) {
	type plain World
	p := plain(w)
	fill(&p.Images)
	fill(&p.Containers)
	fill(&p.Layers)
	fill(&p.Chains)
	fill(&p.Snapshots)
	fill(&p.Cache)
	fill(&p.Blobs)
	if p.Refs == nil {
		p.Refs = map[string]string{}
	}
	return json.Marshal(p)
}

// MarshalJSON writes empty lists, not null.
func (i Image) MarshalJSON() ([]byte, error) {
	type plain Image
	p := plain(i)
	fill(&p.Refs)
	fill(&p.Layers)
	return json.Marshal(p)
}

// MarshalJSON writes empty lists, not null.
func (c Container) MarshalJSON() ([]byte, error) {
	type plain Container
	p := plain(c)
	fill(&p.Command)
	fill(&p.Changes)
	return json.Marshal(p)
}

// MarshalJSON writes empty lists, not null.
func (l Layer) MarshalJSON() ([]byte, error) {
	type plain Layer
	p := plain(l)
	fill(&p.Whiteouts)
	return json.Marshal(p)
}

func fill[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
