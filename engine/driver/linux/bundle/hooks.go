//go:build linux

package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxSaid bounds what of a hook's output gets into its error.
const maxSaid = 2000

// prestart are the hooks that the specification has deprecated and engines still write.
func prestart(h *specs.Hooks) []specs.Hook {
	return h.Prestart //lint:ignore SA1019 a bundle may have them
}

// runHooks runs hooks one after another, up to the first that fails. Each gets the state on standard input, the environment that the config
// gives it and nothing of anybody else's.
func runHooks(kind string, hooks []specs.Hook, dir string, state specs.State) error {
	if len(hooks) == 0 {
		return nil
	}
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	for i := range hooks {
		if err := runHook(&hooks[i], dir, data); err != nil {
			return fmt.Errorf("run %s hook %s: %w", kind, hooks[i].Path, err)
		}
	}
	return nil
}

func runHook(h *specs.Hook, dir string, state []byte) error {
	in, err := memory("state", state)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := memory("output", nil)
	if err != nil {
		return err
	}
	defer out.Close()
	args := h.Args
	if len(args) == 0 {
		args = []string{h.Path}
	}
	env := h.Env
	if env == nil {
		env = []string{}
	}
	p, err := os.StartProcess(h.Path, args, &os.ProcAttr{Dir: dir, Env: env, Files: []*os.File{in, out, out}})
	if err != nil {
		return err
	}
	late := make(chan struct{})
	if h.Timeout != nil {
		timer := time.AfterFunc(time.Duration(*h.Timeout)*time.Second, func() { close(late); _ = p.Kill() })
		defer timer.Stop()
	}
	st, err := p.Wait()
	if err != nil {
		return err
	}
	select {
	case <-late:
		return fmt.Errorf("it did not end within %d s", *h.Timeout)
	default:
	}
	if st.Success() {
		return nil
	}
	return errors.New(strings.TrimSuffix(st.String()+": "+said(out), ": "))
}

// memory is a file without a name that holds data, at its beginning.
func memory(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := io.Copy(f, bytes.NewReader(data)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func said(f *os.File) string {
	buf := make([]byte, maxSaid)
	n, _ := f.ReadAt(buf, 0)
	return strings.TrimSpace(string(buf[:n]))
}
