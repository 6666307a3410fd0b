//go:build linux

package bundle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const maxID = 1<<31 - 1

// checkProcess checks a process, that of a config.json or that of an exec.
func checkProcess(p *specs.Process) error {
	if !filepath.IsAbs(p.Cwd) {
		return fmt.Errorf("process.cwd must be an absolute path, not %q", p.Cwd)
	}
	if len(p.Args) == 0 || p.Args[0] == "" {
		return errors.New("process.args is empty")
	}
	if err := plain("process", append(append([]string{p.Cwd, p.ApparmorProfile, p.SelinuxLabel}, p.Args...), p.Env...)...); err != nil {
		return err
	}
	for _, kv := range p.Env {
		if strings.IndexByte(kv, '=') <= 0 {
			return fmt.Errorf("process.env: %q is not NAME=VALUE", kv)
		}
	}
	if p.User.UID > maxID || p.User.GID > maxID {
		return fmt.Errorf("process.user: ids must be between 0 and %d", maxID)
	}
	if p.User.Umask != nil && *p.User.Umask > 0o777 {
		return fmt.Errorf("process.user.umask %o: at most 777", *p.User.Umask)
	}
	if p.OOMScoreAdj != nil && (*p.OOMScoreAdj < -1000 || *p.OOMScoreAdj > 1000) {
		return fmt.Errorf("process.oomScoreAdj %d: must be between -1000 and 1000", *p.OOMScoreAdj)
	}
	return errors.Join(checkRlimits(p.Rlimits), checkLabels(p), checkScheduling(p))
}

func checkRlimits(limits []specs.POSIXRlimit) error {
	seen := map[string]bool{}
	for _, r := range limits {
		if _, ok := rlimitNumber(r.Type); !ok {
			return fmt.Errorf("process.rlimits: no such limit: %q", r.Type)
		}
		if seen[r.Type] {
			return fmt.Errorf("process.rlimits: %s comes twice", r.Type)
		}
		if r.Soft > r.Hard {
			return fmt.Errorf("process.rlimits: the soft limit of %s is over the hard one", r.Type)
		}
		seen[r.Type] = true
	}
	return nil
}

// checkLabels refuses labels of security modules that this kernel doesn't run: without its profile a process is not confined.
func checkLabels(p *specs.Process) error {
	if p.ApparmorProfile != "" && p.ApparmorProfile != "unconfined" {
		if on, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); len(on) == 0 || on[0] != 'Y' {
			return fmt.Errorf("process.apparmorProfile %q: AppArmor is not enabled on this machine", p.ApparmorProfile)
		}
	}
	if p.SelinuxLabel != "" && !enabled("/sys/fs/selinux/enforce") {
		return fmt.Errorf("process.selinuxLabel %q: SELinux is not enabled on this machine", p.SelinuxLabel)
	}
	return nil
}

func checkScheduling(p *specs.Process) error {
	if p.Scheduler != nil {
		if _, err := schedAttr(p.Scheduler); err != nil {
			return err
		}
	}
	if io := p.IOPriority; io != nil {
		if _, err := ioPriority(io); err != nil {
			return err
		}
	}
	if a := p.ExecCPUAffinity; a != nil {
		for _, list := range []string{a.Initial, a.Final} {
			if _, err := cpuSet(list); err != nil {
				return fmt.Errorf("process.execCPUAffinity: %w", err)
			}
		}
	}
	return nil
}

// rlimitNumber gives the number of a limit by its name in setrlimit(2).
func rlimitNumber(name string) (int, bool) {
	for i, n := range [...]string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE",
		"RTPRIO", "RTTIME"} {
		if name == "RLIMIT_"+n {
			return i, true
		}
	}
	return 0, false
}

// checkSysctls takes settings that the container's own namespaces keep; any other would be the machine's.
func checkSysctls(s *specs.Spec) error {
	has := map[specs.LinuxNamespaceType]bool{}
	for _, ns := range s.Linux.Namespaces {
		has[ns.Type] = true
	}
	for name, value := range s.Linux.Sysctl {
		if err := plain("linux.sysctl", name, value); err != nil {
			return err
		}
		clean := strings.ReplaceAll(name, "/", ".")
		if strings.Contains(clean, "..") || clean == "" {
			return fmt.Errorf("linux.sysctl: no such setting: %q", name)
		}
		if ns, ok := sysctlNamespace(clean); !ok || !has[ns] {
			return fmt.Errorf("linux.sysctl: %q is not kept by a namespace of the container's own, so it would change the machine's", name)
		}
	}
	return nil
}

// sysctlNamespace says which namespace keeps a setting (namespaces(7), proc_sys(5)).
func sysctlNamespace(name string) (specs.LinuxNamespaceType, bool) {
	switch {
	case strings.HasPrefix(name, "net."):
		return specs.NetworkNamespace, true
	case strings.HasPrefix(name, "fs.mqueue."), name == "kernel.sem", strings.HasPrefix(name, "kernel.shm"), strings.HasPrefix(name, "kernel.msg"):
		return specs.IPCNamespace, true
	case name == "kernel.domainname", name == "kernel.hostname":
		return specs.UTSNamespace, true
	}
	return "", false
}

// deviceMode is what mknod(2) takes as the mode of a device.
func deviceMode(d *specs.LinuxDevice) (uint32, error) {
	mode := uint32(0o666)
	if d.FileMode != nil {
		mode = uint32(d.FileMode.Perm())
	}
	switch d.Type {
	case "c", "u":
		return mode | unix.S_IFCHR, nil
	case "b":
		return mode | unix.S_IFBLK, nil
	case "p":
		return mode | unix.S_IFIFO, nil
	}
	return 0, fmt.Errorf("linux.devices: %s: the type must be c, u, b or p, not %q", d.Path, d.Type)
}
