package container

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/mount"

	"github.com/learn-containers/learn/engine/image"
)

// tell appends an event of a container to the engine's log, with docker's attributes (its labels, image and name) and further ones, as
// key, value, key, value. To be told in the order in which things happened it is called under the container's lock where there is one.
func (m *Manager) tell(c *Container, action events.Action, pairs ...string) {
	m.tellAt(c, time.Time{}, action, pairs...)
}

// tellAt is tell of what happened at a time; zero: now.
func (m *Manager) tellAt(c *Container, at time.Time, action events.Action, pairs ...string) {
	if m.Events == nil {
		return
	}
	attributes := map[string]string{}
	if c.Config != nil {
		maps.Copy(attributes, c.Config.Labels)
	}
	attributes["name"] = c.Name
	if c.ImageName != "" {
		attributes["image"] = c.ImageName
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes[pairs[i]] = pairs[i+1]
	}
	msg := events.Message{Type: events.ContainerEventType, Action: action, Actor: events.Actor{ID: c.ID, Attributes: attributes}}
	if !at.IsZero() {
		msg.TimeNano = at.UnixNano()
	}
	m.Events.Append(msg)
}

// tellSteps tells docker's events of changes of state that the record of c shows by now.
func (m *Manager) tellSteps(ctx context.Context, c *Container, steps []transition) {
	for _, t := range steps {
		switch {
		case t.to == container.StatePaused:
			m.tell(c, events.ActionPause)
		case t.from == container.StatePaused && t.to == container.StateRunning:
			m.tell(c, events.ActionUnPause)
		case t.to == container.StateRunning:
			m.tellNetworks(ctx, c, events.ActionConnect)
			m.tellMounts(c, events.ActionMount)
			m.tellAt(c, parseStamp(c.State.StartedAt), events.ActionStart)
		case t.from == container.StateRestarting: // its end has been told
		case t.to == container.StateExited || t.to == container.StateRestarting:
			m.tellEnd(c, t)
			m.tellNetworks(ctx, c, events.ActionDisconnect)
			m.tellMounts(c, events.ActionUnmount)
		}
	}
}

// tellMounts tells that the container gets its volumes, or lets them go.
func (m *Manager) tellMounts(c *Container, action events.Action) {
	for _, p := range c.Mounts {
		if p.Type != mount.TypeVolume {
			continue
		}
		attributes := map[string]string{"container": c.ID, "driver": p.Driver}
		if action == events.ActionMount {
			attributes["destination"], attributes["propagation"], attributes["read/write"] = p.Destination, string(p.Propagation), strconv.FormatBool(p.RW)
		}
		m.Events.Add(events.VolumeEventType, action, p.Name, attributes)
	}
}

func (m *Manager) tellEnd(c *Container, t transition) {
	began, at := parseStamp(c.State.StartedAt), parseStamp(c.State.FinishedAt)
	if t.oom {
		m.tellAt(c, at, events.ActionOOM)
	}
	m.tellAt(c, at, events.ActionDie, "exitCode", strconv.Itoa(t.exit), "execDuration", strconv.Itoa(int(max(at.Sub(began), 0)/time.Second)))
}

func parseStamp(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || s == zeroTime {
		return time.Time{}
	}
	return t
}

func (m *Manager) tellCommit(c *Container, img image.Image, opts CommitOptions) {
	ref := ""
	if len(opts.Refs) > 0 {
		ref = opts.Refs[0].Familiar()
	}
	m.tell(c, events.ActionCommit, "comment", opts.Message, "imageID", img.ID.String(), "imageRef", ref)
}

// tellExecBegins tells that a further process was begun. The words end as docker's do: a program without arguments has a blank after it.
func (m *Manager) tellExecBegins(c *Container, id string, argv []string, at time.Time) {
	if m.Events == nil || len(argv) == 0 {
		return
	}
	words := argv[0] + " " + strings.Join(argv[1:], " ")
	m.tellAt(c, at, events.ActionExecCreate+events.Action(": "+words), "execID", id)
	m.tellAt(c, at, events.ActionExecStart+events.Action(": "+words), "execID", id)
}

// newExecID names a further process in events. Nothing can be done with it, so it is none of the numbers that repeat in a lesson.
func newExecID() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
