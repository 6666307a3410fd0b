package dockerfile

import "github.com/moby/buildkit/frontend/dockerfile/instructions"

type Mount struct {
	Type, From, Source, Target, ID, Sharing, Env string
	ReadOnly, Required                           bool
	Size                                         int64
	Mode, UID, GID                               uint32
}

func (s *Scope) Mounts(in Instruction, c *Run) ([]Mount, error) { return nil, nil }
func Network(c *Run) string                                     { return instructions.GetNetwork(c) }
