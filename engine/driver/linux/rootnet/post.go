//go:build linux

package rootnet

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/thread"
)

// post is a thread that stays in a network namespace: from one of a user namespace no way leads back to the host's.
type post struct {
	work chan func()
	done chan struct{}
}

// openPost puts a thread into the namespace that enter changes to.
func openPost(enter func() error) (*post, error) {
	p := &post{work: make(chan func()), done: make(chan struct{})}
	entered := make(chan error)
	go thread.Apart(func() {
		defer close(p.done)
		err := enter()
		entered <- err
		if err != nil {
			return
		}
		for f := range p.work {
			f()
		}
	})
	if err := <-entered; err != nil {
		return nil, err
	}
	return p, nil
}

// into enters a network namespace that is open.
func into(netns int) func() error {
	return func() error {
		if err := unix.Setns(netns, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the container's network namespace: %w", err)
		}
		return nil
	}
}

// do runs f in the namespace.
func (p *post) do(f func() error) error {
	result := make(chan error)
	p.work <- func() { result <- f() }
	return <-result
}

// close ends the thread; nobody may use it any more.
func (p *post) close() {
	close(p.work)
	<-p.done
}
