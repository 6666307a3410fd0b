package sim

import "github.com/learn-containers/learn/engine/driver/relay"

// output is one output stream of a process.
type output struct {
	*relay.Output
	kind frameKind
}

// carrier carries output to a client in frames of one kind. A send that waits ends when the client's connection is closed.
type carrier struct {
	w    *wire
	kind frameKind
}

// Carry implements relay.Carrier.
func (c carrier) Carry(p []byte, left func() bool) bool {
	for len(p) > 0 && !left() {
		n := min(len(p), streamChunk)
		if c.w.send(c.kind, p[:n]) != nil {
			return false
		}
		p = p[n:]
	}
	return true
}

// Close implements relay.Carrier. The connection has other uses.
func (carrier) Close() {}
