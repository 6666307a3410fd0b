package docker

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/network/ledger"
	ctypes "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// psTest says whether a container is to be listed.
type psTest func(*container.Container) bool

// psFilters is what --filter words of docker ps ask for. As in docker, several values of one key are alternatives, different keys must all
// hold; of several labels all must.
type psFilters struct {
	byKey map[string][]psTest
	all   bool // a filter on the state also looks at what is at rest
	// Those that need another container, an image or a network.
	before, since       string
	ancestors, networks []string
}

// psKeys are the filters that need nothing but the container.
var psKeys = map[string]func(value string) (psTest, error){
	"id": func(v string) (psTest, error) {
		return func(c *container.Container) bool { return pattern(v, c.ID) }, nil
	},
	"name": testName,
	"label": func(v string) (psTest, error) {
		return func(c *container.Container) bool { return matchLabel(v, c.Config.Labels) }, nil
	},
	"exited":  testExited,
	"status":  testStatus,
	"health":  testHealth,
	"volume":  testVolume,
	"publish": func(v string) (psTest, error) { return testPorts("publish", v, published) },
	"expose":  func(v string) (psTest, error) { return testPorts("expose", v, exposed) },
	"is-task": testTask,
}

func parsePsFilters(words []string) (*psFilters, error) {
	f := &psFilters{byKey: map[string][]psTest{}}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		value = strings.TrimSpace(value)
		if !ok {
			return nil, usagef("invalid argument %q for \"-f, --filter\" flag: bad format of filter (expected name=value)", w)
		}
		switch key {
		case "ancestor":
			f.ancestors = append(f.ancestors, value)
			continue
		case "network":
			f.networks = append(f.networks, value)
			continue
		case "before":
			f.before = value
			continue
		case "since":
			f.since = value
			continue
		}
		parse, ok := psKeys[key]
		if !ok {
			return nil, usagef("Invalid filter '%s': expected id, name, label, exited, status, ancestor, before, since, volume, network, publish, expose, health or is-task", key)
		}
		test, err := parse(value)
		if err != nil {
			return nil, err
		}
		f.all = f.all || key == "status" || key == "exited"
		f.byKey[key] = append(f.byKey[key], test)
	}
	return f, nil
}

func (f *psFilters) keep(c *container.Container) bool {
	for key, tests := range f.byKey {
		holds := func(t psTest) bool { return t(c) }
		if key == "label" {
			if slices.ContainsFunc(tests, func(t psTest) bool { return !t(c) }) {
				return false
			}
			continue
		}
		if !slices.ContainsFunc(tests, holds) {
			return false
		}
	}
	return true
}

// resolve looks up what filters name: the containers between which the others were created, images and networks.
func (f *psFilters) resolve(ctx context.Context, e *engine.Engine) error {
	for _, bound := range []struct {
		ref  string
		keep func(other, than time.Time) bool
	}{{f.before, time.Time.Before}, {f.since, time.Time.After}} {
		if bound.ref == "" {
			continue
		}
		c, err := e.Containers.Find(ctx, bound.ref)
		if err != nil {
			return err
		}
		f.byKey["than "+bound.ref] = []psTest{func(o *container.Container) bool { return bound.keep(o.Created, c.Created) }}
	}
	for _, a := range f.ancestors {
		test, err := testAncestor(ctx, e, a)
		if err != nil {
			return err
		}
		f.byKey["ancestor"] = append(f.byKey["ancestor"], test)
	}
	for _, n := range f.networks {
		test, err := testNetwork(ctx, e, n)
		if err != nil {
			return err
		}
		f.byKey["network"] = append(f.byKey["network"], test)
	}
	return nil
}

// testAncestor holds for containers of the image and of images that were made on top of it: those whose lowest layers are its own.
func testAncestor(ctx context.Context, e *engine.Engine, name string) (psTest, error) {
	img, err := e.Images.Resolve(ctx, name)
	if image.IsNotFound(err) {
		return func(c *container.Container) bool { return c.ImageName == name }, nil
	}
	if err != nil {
		return nil, err
	}
	return func(c *container.Container) bool {
		if c.Image == img.ID {
			return true
		}
		return len(img.Layers) > 0 && len(c.Layers) > len(img.Layers) && c.Layers[len(img.Layers)-1].ChainID == img.Layers[len(img.Layers)-1].ChainID
	}, nil
}

// pattern is docker's match of ids and names: a regular expression, or what is no such thing as plain text.
func pattern(want, got string) bool {
	if strings.Contains(got, want) {
		return true
	}
	ok, err := regexp.MatchString(want, got)
	return err == nil && ok
}

func testName(v string) (psTest, error) {
	return func(c *container.Container) bool { return pattern(v, c.Name) || pattern(v, "/"+c.Name) }, nil
}

func testExited(v string) (psTest, error) {
	code, err := strconv.Atoi(v)
	if err != nil {
		return nil, usagef("invalid filter 'exited=%s': expected an exit code", v)
	}
	return func(c *container.Container) bool {
		return !c.State.Active() && c.State.Status != ctypes.StateCreated && c.State.ExitCode == code
	}, nil
}

func testStatus(v string) (psTest, error) {
	if err := ctypes.ValidateContainerState(ctypes.ContainerState(v)); err != nil {
		return nil, usagef("invalid filter 'status=%s': expected created, running, paused, restarting, removing, exited or dead", v)
	}
	return func(c *container.Container) bool { return string(c.State.Status) == v }, nil
}

func testHealth(v string) (psTest, error) {
	if err := ctypes.ValidateHealthStatus(ctypes.HealthStatus(v)); err != nil {
		return nil, usagef("unrecognised filter value for health: %s: expected starting, healthy, unhealthy or none", v)
	}
	return func(c *container.Container) bool {
		if c.State.Health == nil {
			return v == string(ctypes.NoHealthcheck)
		}
		return string(c.State.Health.Status) == v
	}, nil
}

func testVolume(v string) (psTest, error) {
	return func(c *container.Container) bool {
		return slices.ContainsFunc(c.Mounts, func(m container.MountPoint) bool { return m.Name == v || m.Source == v || m.Destination == v })
	}, nil
}

// testNetwork holds for containers that are in the network with this name or id.
func testNetwork(ctx context.Context, e *engine.Engine, ref string) (psTest, error) {
	n, err := e.Networks.Find(ctx, ref)
	if err != nil && !ledger.IsNotFound(err) {
		return nil, err
	}
	return func(c *container.Container) bool {
		names := c.NetworkNames()
		return slices.Contains(names, ref) || err == nil && n.ID == ref && slices.Contains(names, n.Name)
	}, nil
}

// testTask is for a swarm, which there is none of.
func testTask(v string) (psTest, error) {
	is, err := strconv.ParseBool(v)
	if err != nil {
		return nil, usagef("invalid filter 'is-task=%s': expected true or false", v)
	}
	return func(*container.Container) bool { return !is }, nil
}

// published and exposed are the two sides of a port of a container that runs, as docker's filters mean them: that of the host and its own.
func published(p ctypes.PortSummary) uint16 { return p.PublicPort }

func exposed(p ctypes.PortSummary) uint16 { return p.PrivatePort }

// testPorts reads PORT[-PORT][/PROTOCOL].
func testPorts(key, v string, side func(ctypes.PortSummary) uint16) (psTest, error) {
	if strings.Contains(v, ":") {
		return nil, &filterError{fmt.Sprintf("filter for '%s' should not contain ':': %s", key, v)}
	}
	r, err := network.ParsePortRange(v)
	if err != nil {
		return nil, &filterError{fmt.Sprintf("error while looking up for %s %s: %v", key, v, err)}
	}
	return func(c *container.Container) bool {
		return slices.ContainsFunc(c.Ports(), func(p ctypes.PortSummary) bool {
			n := side(p)
			return n >= max(r.Start(), 1) && n <= r.End() && p.Type == string(r.Proto())
		})
	}, nil
}

// containerPruneFilter turns --filter words of docker container prune into one question: label, label! and until. Several labels must all hold.
func containerPruneFilter(words []string, now time.Time) (psTest, error) {
	var tests []psTest
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, usagef("invalid argument %q for \"--filter\" flag: bad format of filter (expected name=value)", w)
		}
		switch key {
		case "label":
			tests = append(tests, func(c *container.Container) bool { return matchLabel(value, c.Config.Labels) })
		case "label!":
			tests = append(tests, func(c *container.Container) bool { return !matchLabel(value, c.Config.Labels) })
		case "until":
			t, err := parseWhen(value, now)
			if err != nil {
				return nil, err
			}
			tests = append(tests, func(c *container.Container) bool { return c.Created.Before(t) })
		default:
			return nil, usagef("invalid filter '%s': expected label, label! or until", key)
		}
	}
	return func(c *container.Container) bool {
		return !slices.ContainsFunc(tests, func(t psTest) bool { return !t(c) })
	}, nil
}
