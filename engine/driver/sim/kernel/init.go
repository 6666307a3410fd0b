package kernel

import (
	"context"
	"slices"

	"github.com/learn-containers/learn/engine/userland"
)

const initName = "learn-init"

// wrapInit makes a small init of the image, which will run the program in file as its child.
func (im *image) wrapInit(file string) {
	p := im.p
	c := userland.Command{Path: absolute(p.Cwd, file), Args: p.Args, Environ: p.Env, Dir: p.Cwd}
	p.Args = slices.Concat([]string{initName, "--"}, c.Args)
	im.assume(program{name: initName, exe: "/sbin/" + initName, argv: p.Args})
	im.main = func() int { return im.runInit(c) }
}

// runInit passes signals on to the program, takes the exit status of every process that is left to it, and ends as the program does.
func (im *image) runInit(c userland.Command) int {
	c.Stdin, c.Stdout, c.Stderr = im.fds[0], im.fds[1], im.fds[2]
	c.Group = userland.Group{ID: userland.OwnGroup, Foreground: im.terminal() != nil}
	forwarded := make(chan int, maxSignal)
	var numbers []int
	for n := 1; n <= maxSignal; n++ {
		if n != sigCHLD {
			numbers = append(numbers, n)
		}
	}
	signals{im}.Notify(forwarded, numbers...)
	main, err := starter{im}.Start(context.Background(), c)
	if err != nil {
		return codeNotExecutable
	}
	im.reapOrphans(main.PID())
	t := threads{im}
	t.Go(func() {
		for n := 0; n >= 0; {
			t.Block(func() {
				select {
				case n = <-forwarded:
				case <-im.ctx.Done():
					n = -1
				}
			})
			if n > 0 {
				_ = main.Signal(n)
			}
		}
	})
	for {
		switch code, err := main.Wait(); {
		case err == nil:
			return code
		case err != userland.ErrStopped:
			return codeNotExecutable
		}
	}
}

// reapOrphans has the kernel let go of ended orphans at once, and of those that have ended already; the program itself is waited for.
func (im *image) reapOrphans(main int) {
	c := im.clock()
	c.lock()
	defer c.unlock()
	im.p.actions[sigCHLD].ignore = true
	for _, p := range im.p.box.sorted() {
		if p.parent == im.p && p.zombie && p.pid != main {
			p.reap()
		}
	}
}
