package names

import (
	"net/netip"
	"sync"
)

// limit bounds what goes on at once, for each client and for all of them.
type limit struct {
	each, all int

	mu    sync.Mutex
	total int
	by    map[netip.Addr]int
}

func newLimit(each, all int) *limit { return &limit{each: each, all: all, by: map[netip.Addr]int{}} }

// enter reports whether the client may; it leaves later then.
func (l *limit) enter(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.all || l.by[client] >= l.each {
		return false
	}
	l.total++
	l.by[client]++
	return true
}

func (l *limit) leave(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.by[client]--; l.by[client] == 0 {
		delete(l.by, client)
	}
}
