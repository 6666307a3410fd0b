//go:build linux

package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// maxPlan bounds the file of one container in bytes.
const maxPlan = 16 << 20

// Connected are the plans of the containers that are connected, as they were carried out: a file for each in this folder, under its id. A
// supervisor holds the lock of its container's for its life; a file without a lock tells what nobody has taken back.
type Connected struct{ Dir string }

// ConnectedPlan is one of them.
type ConnectedPlan struct {
	network.Plan

	Alive bool // its supervisor is there
}

func (c Connected) path(id string) string { return filepath.Join(c.Dir, id) }

// hold writes a plan, in place of the one that is held by old, if there is any. The file that it gives keeps the lock.
func (c Connected) hold(plan network.Plan, old *os.File) (*os.File, error) {
	data, err := json.Marshal(plan)
	if err != nil {
		return nil, fmt.Errorf("record networks of %s: %w", plan.Container, err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("record networks of %s: %w", plan.Container, err)
	}
	tmp := c.path("." + plan.Container)
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record networks of %s: %w", plan.Container, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = os.Rename(tmp, c.path(plan.Container))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("record networks of %s: %w", plan.Container, err), f.Close())
	}
	if old != nil {
		_ = old.Close()
	}
	return f, nil
}

// Read gives the plan of one container; false if it is not connected.
func (c Connected) Read(id string) (ConnectedPlan, bool) {
	if !isContainerID(id) {
		return ConnectedPlan{}, false
	}
	f, err := os.Open(c.path(id))
	if err != nil {
		return ConnectedPlan{}, false
	}
	defer f.Close()
	p := ConnectedPlan{Alive: unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil}
	data, err := io.ReadAll(io.LimitReader(f, maxPlan))
	if err != nil || json.Unmarshal(data, &p.Plan) != nil || p.Container != id {
		p.Plan = network.Plan{Container: id} // what it says is lost; that it has to go is not
	}
	return p, true
}

// connects reports whether a container is connected to a network.
func (c Connected) connects(id, net string) bool {
	p, ok := c.Read(id)
	return ok && p.Alive && slices.ContainsFunc(p.Endpoints, func(e network.Endpoint) bool { return e.Network == net })
}

// All gives the plans of all containers.
func (c Connected) All() ([]ConnectedPlan, error) {
	entries, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list connected containers: %w", err)
	}
	var all []ConnectedPlan
	for _, e := range entries {
		if p, ok := c.Read(e.Name()); ok {
			all = append(all, p)
		}
	}
	return all, nil
}

// Drop forgets the plan of a container whose supervisor is gone.
func (c Connected) Drop(id string) error {
	err := os.Remove(c.path(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget networks of %s: %w", id, err)
	}
	return nil
}

// publisher is the container that has a port of the host.
func (c Connected) publisher(port network.Published) (id string, ok bool) {
	all, err := c.All()
	if err != nil {
		return "", false
	}
	for _, p := range all {
		for _, have := range p.Ports {
			if p.Alive && have.Protocol == port.Protocol && have.HostPort == port.HostPort && sameHost(have, port) {
				return p.Container, true
			}
		}
	}
	return "", false
}

func sameHost(a, b network.Published) bool {
	return a.HostIP == b.HostIP || a.HostIP.IsUnspecified() || b.HostIP.IsUnspecified()
}

func isContainerID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
