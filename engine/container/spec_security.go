package container

import (
	"context"

	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// specSecurity adds what the container may do and see of the machine.
func (m *Manager) specSecurity(ctx context.Context, c *Container, s *driver.Spec) error {
	h := c.HostConfig
	if err := secureProcess(h, &s.Process); err != nil {
		return err
	}
	if err := m.share(ctx, c, s); err != nil {
		return err
	}
	s.ReadOnly, s.Init = h.ReadonlyRootfs, h.Init != nil && *h.Init
	s.Domain, s.Sysctls = c.Config.Domainname, h.Sysctls
	s.Masked, s.Unwritten = h.MaskedPaths, h.ReadonlyPaths
	for _, d := range h.Devices {
		s.Devices = append(s.Devices, driver.Device{Source: d.PathOnHost, Target: d.PathInContainer, Access: or(d.CgroupPermissions, "rwm")})
	}
	s.DeviceRules = h.DeviceCgroupRules
	return nil
}

// secureProcess says what one process of a container may do, the first or a further one.
func secureProcess(h *container.HostConfig, p *driver.Process) error {
	o, err := securityOptions(h.SecurityOpt)
	if err != nil {
		return err
	}
	if p.Powers, err = powers(h); err != nil {
		return err
	}
	p.Privileged = p.Privileged || h.Privileged
	p.NoNewPrivs, p.Seccomp, p.AppArmor = o.noNewPrivs, o.seccomp, o.appArmor
	return nil
}

// checkSecurity refuses what docker refuses, in its words.
func checkSecurity(h *container.HostConfig) error {
	if _, err := securityOptions(h.SecurityOpt); err != nil {
		return err
	}
	if _, err := powers(h); err != nil {
		return err
	}
	if err := checkModes(h); err != nil {
		return err
	}
	if err := checkSysctls(h); err != nil {
		return err
	}
	return checkDevices(h)
}

// securityWarnings tell what was asked for a container and has no effect on this machine.
func (m *Manager) securityWarnings(h *container.HostConfig) []string {
	o, err := securityOptions(h.SecurityOpt)
	if err != nil {
		return nil
	}
	var all []string
	if o.appArmor != "" && o.appArmor != driver.Unconfined && !driver.HasAppArmor(m.runtime) {
		all = append(all, "apparmor="+o.appArmor+" has no effect: AppArmor is not active on this machine")
	}
	if len(o.labels) > 0 {
		all = append(all, "label="+o.labels[0]+" has no effect: this engine sets no SELinux labels")
	}
	return all
}
