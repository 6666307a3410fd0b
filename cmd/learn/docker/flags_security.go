package docker

import (
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// securityFlags say what a container may do and see of the machine.
type securityFlags struct {
	readOnly, privileged, init         bool
	capAdd, capDrop, options, groupAdd []string
	pid, ipc, uts, userns, cgroupns    string
	domain, gpus                       string
	devices                            []string
	deviceRules                        ruleList
	sysctls                            sysctlList
	set                                *pflag.FlagSet
}

func (f *securityFlags) register(fl *pflag.FlagSet) {
	f.set = fl
	fl.BoolVar(&f.readOnly, "read-only", false, "Mount the container's root filesystem as read only")
	fl.BoolVar(&f.privileged, "privileged", false, "Give extended privileges to this container")
	fl.BoolVar(&f.init, "init", false, "Run an init inside the container that forwards signals and reaps processes")
	fl.StringArrayVar(&f.capAdd, "cap-add", nil, "Add Linux capabilities")
	fl.StringArrayVar(&f.capDrop, "cap-drop", nil, "Drop Linux capabilities")
	fl.StringArrayVar(&f.options, "security-opt", nil, "Security Options")
	fl.StringArrayVar(&f.groupAdd, "group-add", nil, "Add additional groups to join")
	fl.StringVar(&f.pid, "pid", "", "PID namespace to use")
	fl.StringVar(&f.ipc, "ipc", "", "IPC mode to use")
	fl.StringVar(&f.uts, "uts", "", "UTS namespace to use")
	fl.StringVar(&f.userns, "userns", "", "User namespace to use")
	fl.StringVar(&f.cgroupns, "cgroupns", "", `Cgroup namespace to use (host|private)`)
	fl.StringVar(&f.domain, "domainname", "", "Container NIS domain name")
	fl.StringVar(&f.gpus, "gpus", "", "GPU devices to add to the container ('all' to pass all GPUs)")
	fl.StringArrayVar(&f.devices, "device", nil, "Add a host device to the container")
	fl.Var(&f.deviceRules, "device-cgroup-rule", "Add a rule to the cgroup allowed devices list")
	fl.Var(&f.sysctls, "sysctl", "Sysctl options")
}

func (f *securityFlags) apply(app *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	host.ReadonlyRootfs, host.Privileged, host.GroupAdd = f.readOnly, f.privileged, f.groupAdd
	cfg.Domainname = f.domain
	if f.set.Changed("init") {
		host.Init = &f.init
	}
	if f.gpus != "" {
		return usagef(`could not select device driver "" with capabilities: [[gpu]]: this engine has no drivers for GPUs; give the device nodes with --device`)
	}
	host.CapAdd, host.CapDrop = effectivePowers(f.capAdd, f.capDrop)
	host.DeviceCgroupRules, host.Sysctls = f.deviceRules, f.sysctls
	if err := f.modes(host); err != nil {
		return err
	}
	for _, word := range f.devices {
		d, err := parseDevice(word)
		if err != nil {
			return err
		}
		host.Devices = append(host.Devices, d)
	}
	return app.securityOptions(f.options, host)
}

// modes says whose the namespaces are.
func (f *securityFlags) modes(host *ctypes.HostConfig) error {
	host.PidMode, host.IpcMode, host.UTSMode = ctypes.PidMode(f.pid), ctypes.IpcMode(f.ipc), ctypes.UTSMode(f.uts)
	host.UsernsMode, host.CgroupnsMode = ctypes.UsernsMode(f.userns), ctypes.CgroupnsMode(f.cgroupns)
	switch {
	case !host.PidMode.Valid():
		return usagef("--pid: invalid PID mode")
	case !host.UTSMode.Valid():
		return usagef("--uts: invalid UTS mode")
	case !host.UsernsMode.Valid():
		return usagef("--userns: invalid USER mode")
	case !host.CgroupnsMode.Valid():
		return usagef("--cgroupns: invalid CGROUP mode")
	}
	return nil
}

// effectivePowers settles contradictions as docker's command line does: with ALL in a list nothing else in it counts, and what is both added
// and dropped is added.
func effectivePowers(add, drop []string) (adds, drops []string) {
	adds, drops = powerNames(add, nil), powerNames(drop, nil)
	if len(adds) != 1 || adds[0] != "ALL" {
		drops = powerNames(drop, adds)
	}
	return adds, drops
}
