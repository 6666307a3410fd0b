//go:build linux

package thread_test

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/thread"
)

// Work is on a thread of its own: what it does to its working folder is nobody else's, not even for as long as it lasts.
func TestApart(t *testing.T) {
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			thread.Apart(func() {
				if unix.Gettid() == os.Getpid() {
					t.Error("work on the first thread")
				}
				if err := unix.Unshare(unix.CLONE_FS); err != nil {
					t.Error(err)
				} else if err := unix.Chdir("/"); err != nil {
					t.Error(err)
				}
			})
			if wd, err := os.Readlink("/proc/thread-self/cwd"); err != nil || wd == "/" {
				t.Errorf("another thread's folder is %s, %v", wd, err)
			}
		})
	}
	all.Wait()
}

// A goroutine that sits on the first thread gets its work done elsewhere, too, and the thread stays of use.
func TestFirstThread(t *testing.T) {
	for range 1000 {
		on := make(chan bool)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			first := unix.Gettid() == os.Getpid()
			if first {
				thread.Apart(func() {
					if unix.Gettid() == os.Getpid() {
						t.Error("work on the first thread")
					}
				})
			}
			on <- first
		}()
		if <-on {
			return
		}
		runtime.Gosched()
	}
}
