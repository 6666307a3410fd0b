package world

import (
	"slices"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

func (f *folder) applyContainer(e trace.Event) {
	id := e.Attr("container").Str()
	switch e.Kind {
	case vocab.ContainerCreate:
		c := f.container(id, e.Seq)
		c.Name, c.Image, c.Command = e.Attr("name").Str(), e.Attr("image").Str(), e.Attr("command").List()
		if c.State == "" {
			c.State = "created"
		}
	case vocab.ContainerStart:
		f.containerStart(id, e)
	case vocab.ContainerState:
		f.containerState(id, e)
	case vocab.ContainerRename:
		f.container(id, e.Seq).Name = e.Attr("name").Str()
	case vocab.HealthState:
		if f.containerIndex(id) >= 0 { // what a build step is made of is none
			f.container(id, e.Seq).Health = e.Attr("status").Str()
		}
	case vocab.ContainerRemove:
		f.removeContainer(id)
	}
}

// containerStart notes the process id. The state comes as an event of its own, which may arrive first when
// the process ends at once.
func (f *folder) containerStart(id string, e trace.Event) {
	if e.Phase == trace.Begin {
		f.stepBegins(e)
		return
	}
	s, ok := f.stepEnds(e)
	if !ok || e.Err != "" {
		return
	}
	i := f.containerIndex(s.begin.Attr("container").Str())
	if i >= 0 && f.w.Containers[i].State != "exited" {
		writable(f, partContainers, &f.w.Containers)
		f.w.Containers[i].PID = e.Attr("pid").Int()
	}
}

func (f *folder) containerState(id string, e trace.Event) {
	c := f.container(id, e.Seq)
	c.State = e.Attr("to").Str()
	c.ExitCode, c.OOMKilled = e.Attr("exit_code").Int(), e.Attr("oom_killed").Bool()
	if c.State != "running" && c.State != "paused" {
		c.PID, c.Ports = 0, nil
	}
}

// container returns the entry of a container for writing; it is added if it is not there, and takes over the
// writable layer that was prepared for it.
func (f *folder) container(id string, seq uint64) *Container {
	writable(f, partContainers, &f.w.Containers)
	i := f.containerIndex(id)
	if i < 0 {
		i = len(f.w.Containers)
		c := Container{Exists: true, ID: id, CreatedSeq: seq}
		if j := f.snapshotIndex(id); j >= 0 {
			c.Chain, c.Changes = f.w.Snapshots[j].Chain, f.w.Snapshots[j].Changes
			writable(f, partSnapshots, &f.w.Snapshots)
			f.w.Snapshots = slices.Delete(f.w.Snapshots, j, j+1)
		}
		f.w.Containers = append(f.w.Containers, c)
		f.where[id] = i
	}
	return &f.w.Containers[i]
}

func (f *folder) containerIndex(id string) int {
	if f.where == nil {
		f.where = make(map[string]int, len(f.w.Containers))
		for i, c := range f.w.Containers {
			f.where[c.ID] = i
		}
	}
	if i, ok := f.where[id]; ok {
		return i
	}
	return -1
}

func (f *folder) removeContainer(id string) {
	i := f.containerIndex(id)
	if i < 0 {
		return
	}
	writable(f, partContainers, &f.w.Containers)
	f.w.Containers = slices.Delete(f.w.Containers, i, i+1)
	f.where = nil
	f.forgetChanges(id)
	f.unmountAll(id)
	f.leaveAll(id)
}
