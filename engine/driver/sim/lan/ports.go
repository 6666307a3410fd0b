package lan

// Ports that are given to those who ask for none in particular, as Linux has them.
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// ephemeral picks the next port that nothing of the host uses, 0 if all are in use. Going round in order keeps ports from being
// used again soon, and makes them the same each time. The caller holds sw.mu.
func (h *Host) ephemeral() uint16 {
	used := make(map[uint16]bool, len(h.listeners)+len(h.conns))
	for _, l := range h.listeners {
		used[l.addr.Port()] = true
	}
	for c := range h.conns {
		used[c.endpoint().Port()] = true
	}
	for range lastEphemeral - firstEphemeral + 1 {
		h.last++
		if h.last < firstEphemeral || h.last > lastEphemeral {
			h.last = firstEphemeral
		}
		if !used[h.last] {
			return h.last
		}
	}
	return 0
}
