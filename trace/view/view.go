// Package view draws a World as plain text: what images there are and which layers they share, what containers
// there are, what each has changed and which networks they are in.
//
// The text is linear and complete without color or position, so that it reads as well from a screen reader, in a log
// or in a bug report. A frame is a function of the world and nothing else; strings from outside are made harmless.
package view

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/narrate"
	"github.com/learn-containers/learn/trace/world"
)

// maxChanges is how many changes of one writable layer a frame shows.
const maxChanges = 12

// Frame draws w, and the event e that led to it if it isn't nil, in lines of at most width columns (0: no limit).
// A layer has the same mark (L1, L2 ...) wherever it is drawn.
func Frame(w world.World, e *trace.Event, width int) string {
	f := frame{w: w, width: width, marks: map[string]int{}}
	for i, l := range w.Layers {
		f.marks[l.DiffID] = i + 1
	}
	if e != nil {
		f.event(*e)
	}
	f.images()
	f.containers()
	f.networks()
	f.snapshots()
	f.store()
	return f.out.String()
}

type frame struct {
	w     world.World
	width int
	marks map[string]int
	out   strings.Builder
}

// line writes one line, cut to the width.
func (f *frame) line(format string, args ...any) {
	s := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	if f.width > 0 && utf8.RuneCountInString(s) > f.width {
		s = string([]rune(s)[:max(f.width-1, 0)]) + "…"
	}
	f.out.WriteString(s)
	f.out.WriteByte('\n')
}

func (f *frame) event(e trace.Event) {
	f.line("Event %s: %s, %s", narrate.Number(int64(e.Seq)), narrate.Clean(e.Kind), narrate.Clean(string(e.Phase)))
	if s := narrate.Narrate(e, narrate.Full); s != "" {
		f.paragraph(s)
	}
	f.line("")
}

// paragraph writes words in as many lines as they need, indented.
func (f *frame) paragraph(s string) {
	const indent = "  "
	line := indent
	for _, word := range strings.Split(s, " ") {
		if f.width > 0 && line != indent && utf8.RuneCountInString(line)+utf8.RuneCountInString(word) > f.width {
			f.line("%s", line)
			line = indent
		}
		line += word + " "
	}
	f.line("%s", line)
}

func (f *frame) images() {
	if len(f.w.Images) == 0 {
		f.line("Images: none")
		return
	}
	f.line("Images: %d", len(f.w.Images))
	for _, img := range f.w.Images {
		f.line("  %s, %s, %s", imageTitle(img), narrate.Bytes(img.Size), narrate.Count(int64(len(img.Layers)), "layer"))
		for i := len(img.Layers) - 1; i >= 0; i-- {
			f.layer(img.Layers[i])
		}
	}
}

func imageTitle(img world.Image) string {
	id := narrate.ShortID(img.ID)
	if len(img.Refs) == 0 {
		return "image " + id + " (no name)"
	}
	names := make([]string, len(img.Refs))
	for i, r := range img.Refs {
		names[i] = narrate.Clean(r)
	}
	return strings.Join(names, ", ") + ", image " + id
}

// layer draws one layer of a stack, and what is to be known about it.
func (f *frame) layer(l world.Layer) {
	s := fmt.Sprintf("    [%s] %s  %s", f.mark(l.DiffID), narrate.ShortDigest(l.DiffID), narrate.Bytes(l.Size))
	if n := f.w.Sharers(l.DiffID); n > 1 {
		s += fmt.Sprintf(", shared by %d images", n)
	}
	switch {
	case len(l.Whiteouts) > 0:
		s += ", hides " + narrate.Clean(strings.Join(l.Whiteouts, " "))
	case l.Deleted > 0:
		s += ", hides " + narrate.Count(l.Deleted, "name")
	}
	f.line("%s", s)
}

func (f *frame) mark(diffID string) string {
	if n := f.marks[diffID]; n > 0 {
		return fmt.Sprintf("L%d", n)
	}
	return "L?"
}

func (f *frame) containers() {
	if len(f.w.Containers) == 0 {
		f.line("Containers: none")
		return
	}
	f.line("Containers: %d", len(f.w.Containers))
	for _, c := range f.w.Containers {
		f.line("  %s, %s, %s", narrate.Clean(c.Name), narrate.ShortID(c.ID), state(c))
		f.line("    command: %s", narrate.Words(c.Command))
		f.ports(c)
		f.writable(c.Changes, c.CopiedBytes)
		f.below(c)
	}
}

func state(c world.Container) string {
	switch {
	case c.State == "exited" && c.OOMKilled:
		return fmt.Sprintf("exited with code %d, out of memory", c.ExitCode)
	case c.State == "exited":
		return fmt.Sprintf("exited with code %d", c.ExitCode)
	case c.PID != 0:
		return fmt.Sprintf("%s, process %d", narrate.Clean(c.State), c.PID)
	}
	return narrate.Clean(c.State)
}

// below draws what a container's writable layer stands on.
func (f *frame) below(c world.Container) {
	img := f.w.Image(c.Image)
	if !img.Exists {
		f.line("    on image %s", narrate.ShortID(c.Image))
		return
	}
	marks := make([]string, 0, len(img.Layers))
	for i := len(img.Layers) - 1; i >= 0; i-- {
		marks = append(marks, "["+f.mark(img.Layers[i].DiffID)+"]")
	}
	f.line("    on %s: %s", imageTitle(img), strings.Join(marks, " "))
}

func (f *frame) writable(changes []world.Change, copied int64) {
	s := "no changes"
	if len(changes) > 0 {
		s = narrate.Count(int64(len(changes)), "change")
	}
	if copied > 0 {
		s += ", " + narrate.Bytes(copied) + " copied up"
	}
	f.line("    [writable] %s", s)
	for i, c := range changes {
		if i == maxChanges {
			f.line("      and %s more", narrate.Number(int64(len(changes)-maxChanges)))
			break
		}
		f.line("      %s %s%s", c.Kind, narrate.Clean(c.Path), f.detail(c))
	}
}

func (f *frame) detail(c world.Change) string {
	switch {
	case c.Kind == "D" && c.Layer != "":
		return fmt.Sprintf("  (hidden; [%s] still holds it)", f.mark(c.Layer))
	case c.Opaque:
		return "  (hides all that lower layers have in it)"
	case c.Kind == "C" && c.CopiedBytes > 0:
		return fmt.Sprintf("  (copied from [%s]; %s of %s changed)", f.mark(c.Layer), narrate.Number(c.ChangedBytes), narrate.Bytes(c.CopiedBytes))
	case c.Kind == "A" && c.Type == "file":
		return "  (" + narrate.Bytes(c.Size) + ")"
	case c.Kind == "A" && c.Type != "":
		return "  (" + narrate.Clean(c.Type) + ")"
	}
	return ""
}

// snapshots draws the writable layers of build steps.
func (f *frame) snapshots() {
	for _, s := range f.w.Snapshots {
		f.line("Build step %s", narrate.ShortID(s.Key))
		f.writable(s.Changes, 0)
	}
}

// store sums up what is on disk.
func (f *frame) store() {
	var blobs, apart int64
	for _, b := range f.w.Blobs {
		blobs += b.Size
	}
	for _, img := range f.w.Images {
		apart += img.Size
	}
	f.line("Store: %s, %s; build cache: %s", narrate.Count(int64(len(f.w.Blobs)), "blob"), narrate.Bytes(blobs),
		narrate.Count(int64(len(f.w.Cache)), "result"))
	if together := f.w.LayersSize(); together < apart {
		f.line("Layers of all images: %s, because shared ones count once; without sharing it would be %s", narrate.Bytes(together), narrate.Bytes(apart))
	}
}
