//go:build !linux

package userland

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"time"
)

func system(env *Env) { env.Own = isSelf }

// selfExe is the file of this very program.
func selfExe() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	return path
}

func osAttr(info fs.FileInfo) Attr {
	return Attr{Links: 1, Blocks: (info.Size() + 511) / 512, Atime: info.ModTime(), Ctime: info.ModTime()}
}

func osRename(from, to string) error { return os.Rename(from, to) }

func osMknod(string, fs.FileMode, uint64) error { return errors.ErrUnsupported }

func processGroup(*exec.Cmd, Group) {}

func stopped(int) bool { return false }

func exitCode(state *os.ProcessState) int { return state.ExitCode() }

func replace(Command) error { return errors.ErrUnsupported }

func resetSignals() {}

func terminalFile(*os.File) bool { return true }

func duplicate(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

func inherited(int) (*os.File, error) { return nil, errors.ErrUnsupported }

func readable(*os.File, time.Duration) bool { return true }
