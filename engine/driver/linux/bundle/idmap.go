//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// mapIDs maps the ids of a new user namespace. Root writes the maps; anybody else may map himself, and for more asks newuidmap(1).
func mapIDs(pid int, l *specs.Linux) error {
	uids, gids := l.UIDMappings, l.GIDMappings
	if len(uids) == 0 || len(gids) == 0 {
		return errors.New("linux: a new user namespace needs uidMappings and gidMappings")
	}
	for _, m := range append(append([]specs.LinuxIDMapping(nil), uids...), gids...) {
		if m.Size == 0 {
			return errors.New("linux: an id map of size 0 maps nothing")
		}
	}
	proc := "/proc/" + strconv.Itoa(pid)
	err := errors.Join(writeMap(proc+"/gid_map", gids), writeMap(proc+"/uid_map", uids))
	if err == nil || os.Geteuid() == 0 {
		return wrap("map ids", err)
	}
	if ownOnly(uids, os.Geteuid()) && ownOnly(gids, os.Getegid()) {
		err := os.WriteFile(proc+"/setgroups", []byte("deny"), 0)
		return wrap("map own id", errors.Join(err, writeMap(proc+"/gid_map", gids), writeMap(proc+"/uid_map", uids)))
	}
	return errors.Join(runMapper("newuidmap", pid, uids), runMapper("newgidmap", pid, gids))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

func ownOnly(m []specs.LinuxIDMapping, id int) bool {
	return len(m) == 1 && m[0].Size == 1 && int(m[0].HostID) == id
}

func writeMap(file string, list []specs.LinuxIDMapping) error {
	var text []byte
	for _, m := range list {
		text = fmt.Appendf(text, "%d %d %d\n", m.ContainerID, m.HostID, m.Size)
	}
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, text); err != nil { // the kernel takes a map in one write
		return &os.PathError{Op: "write", Path: file, Err: err}
	}
	return nil
}

// runMapper asks the machine's helper, looked for where the system keeps its programs and nowhere else.
func runMapper(name string, pid int, list []specs.LinuxIDMapping) error {
	args := []string{name, strconv.Itoa(pid)}
	for _, m := range list {
		args = append(args, fmt.Sprint(m.ContainerID), fmt.Sprint(m.HostID), fmt.Sprint(m.Size))
	}
	for _, dir := range []string{"/usr/bin/", "/usr/local/bin/", "/bin/"} {
		if _, err := os.Stat(dir + name); err != nil {
			continue
		}
		return wrap("map ids", runProgram(dir+name, args))
	}
	return fmt.Errorf("map ids: more than one's own need the program %s, which is not installed", name)
}

// runProgram runs a helper with an empty environment.
func runProgram(path string, args []string) error {
	out, err := memory("output", nil)
	if err != nil {
		return err
	}
	defer out.Close()
	p, err := os.StartProcess(path, args, &os.ProcAttr{Dir: "/", Env: []string{}, Files: []*os.File{nil, out, out}})
	if err != nil {
		return err
	}
	st, err := p.Wait()
	if err == nil && !st.Success() {
		err = fmt.Errorf("%s: %s: %s", path, st, said(out))
	}
	return err
}
