package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine"
	"github.com/learn-containers/learn/engine/events"
	"github.com/spf13/cobra"
)

type eventFlags struct {
	since, until, spec string
	filters            []string
}

func (app *App) eventsCommand() *cobra.Command {
	var f eventFlags
	cmd := &cobra.Command{
		Use:   "events [OPTIONS]",
		Short: "Get real time events from the server",
		Args:  exactly(0),
		RunE:  func(cmd *cobra.Command, _ []string) error { return app.events(cmd.Context(), f) },
	}
	fl := cmd.Flags()
	fl.StringArrayVarP(&f.filters, "filter", "f", nil, "Filter output based on conditions provided: type=, event=, container=, image=, label=, volume=, network=, daemon=, scope=")
	fl.StringVar(&f.since, "since", "", "Show all events created since timestamp")
	fl.StringVar(&f.until, "until", "", "Stream events until this timestamp")
	fl.StringVar(&f.spec, "format", "", `Format output using "json" or a Go template`)
	return cmd
}

// events prints what has happened since a time, and what happens until another one. Without a time nothing that was is shown.
func (app *App) events(ctx context.Context, f eventFlags) error {
	keep, err := eventFilter(f.filters)
	if err != nil {
		return err
	}
	write, err := eventWriter(app.Out, f.spec)
	if err != nil {
		return err
	}
	e, err := app.engine(ctx)
	if err != nil {
		return err
	}
	since, until, err := f.span(e.Now())
	if err != nil {
		return err
	}
	each := func(m events.Message) error {
		if m.TimeNano < since || m.TimeNano > until || !keep(&m) {
			return nil
		}
		return write(&m)
	}
	ctx, stop := app.untilInterrupted(ctx)
	defer stop()
	err = e.Events.Follow(ctx, each, watchEnds(ctx, e, until))
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// span gives the first and the last moment that are asked for.
func (f eventFlags) span(now time.Time) (since, until int64, err error) {
	since, until = now.UnixNano(), int64(1<<63-1)
	if f.until != "" {
		t, err := parseWhen(f.until, now)
		if err != nil {
			return 0, 0, err
		}
		until = t.UnixNano()
		since = 0 // as docker: who asks for the end only gets what was before
	}
	if f.since != "" {
		t, err := parseWhen(f.since, now)
		if err != nil {
			return 0, 0, err
		}
		since = t.UnixNano()
	}
	if until < since && f.until != "" {
		return 0, 0, usagef("`since` time (%d) cannot be after `until` time (%d)", since/1e9, until/1e9)
	}
	return since, until, nil
}

// lookOften is how often it is looked whether containers ended: there is no daemon that would tell.
const lookOften = 250 * time.Millisecond

// watchEnds has the ends of containers written down that nobody else has noticed, and ends the reading at the time until.
func watchEnds(ctx context.Context, e *engine.Engine, until int64) func() error {
	var last time.Time
	return func() error {
		if time.Since(last) >= lookOften {
			if _, err := e.Containers.List(ctx, false); err != nil {
				return err
			}
			last = time.Now()
		}
		if e.Now().UnixNano() > until {
			return io.EOF
		}
		return nil
	}
}

// untilInterrupted gives a context that ends when the user wants no more.
func (app *App) untilInterrupted(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	if app.Interrupts == nil {
		return ctx, cancel
	}
	signals, stop := app.Interrupts()
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-over; stop() }
}

// eventWriter prints one event a line: docker's own form, json, or a template.
func eventWriter(w io.Writer, spec string) (func(*events.Message) error, error) {
	if spec == "json" {
		spec = "{{json .}}"
	}
	if spec == "" {
		return func(m *events.Message) error {
			_, err := fmt.Fprintln(w, eventLine(m))
			return err
		}, nil
	}
	tmpl, err := format.Parse(spec)
	if err != nil {
		return nil, err
	}
	return func(m *events.Message) error { return format.Line(w, tmpl, m) }, nil
}

// eventLine is docker's: time, type, action, id and the attributes in order.
func eventLine(m *events.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %s", time.Unix(0, m.TimeNano).Format("2006-01-02T15:04:05.000000000Z07:00"), m.Type, format.Clean(string(m.Action)), format.Clean(m.Actor.ID))
	if len(m.Actor.Attributes) == 0 {
		return b.String()
	}
	words := make([]string, 0, len(m.Actor.Attributes))
	for k, v := range m.Actor.Attributes {
		words = append(words, k+"="+v)
	}
	sort.Strings(words)
	b.WriteString(" (" + format.Clean(strings.Join(words, ", ")) + ")")
	return b.String()
}

type eventTest func(*events.Message) bool

// eventFilter turns --filter words into one question. Several values of one key are alternatives, different keys must all hold; of labels
// all must.
func eventFilter(words []string) (eventTest, error) {
	byKey := map[string][]eventTest{}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, usagef("invalid argument %q for \"-f, --filter\" flag: bad format of filter (expected name=value)", w)
		}
		test := eventTestOf(key, value)
		if test == nil {
			return nil, usagef("Invalid filter '%s': expected type, event, container, image, label, volume, network, daemon or scope", key)
		}
		byKey[key] = append(byKey[key], test)
	}
	return func(m *events.Message) bool {
		for key, tests := range byKey {
			holds := func(t eventTest) bool { return t(m) }
			if key == "label" && slices.ContainsFunc(tests, func(t eventTest) bool { return !t(m) }) || !slices.ContainsFunc(tests, holds) {
				return false
			}
		}
		return true
	}, nil
}

func eventTestOf(key, value string) eventTest {
	switch key {
	case "type":
		return func(m *events.Message) bool { return string(m.Type) == value }
	case "scope":
		return func(m *events.Message) bool { return m.Scope == value }
	case "event":
		return func(m *events.Message) bool {
			verb, _, _ := strings.Cut(string(m.Action), ":") // exec_create: sh -c true
			return string(m.Action) == value || verb == value
		}
	case "label":
		return func(m *events.Message) bool { return matchLabel(value, m.Actor.Attributes) }
	case "image":
		return func(m *events.Message) bool {
			if m.Type != "image" {
				return m.Type == "container" && sameImage(m.Actor.Attributes["image"], value)
			}
			return sameImage(m.Actor.ID, value) || sameImage(m.Actor.Attributes["name"], value)
		}
	case "container", "volume", "network", "daemon":
		return func(m *events.Message) bool {
			if string(m.Type) != key {
				return m.Actor.Attributes[key] != "" && strings.HasPrefix(m.Actor.Attributes[key], value)
			}
			return m.Actor.ID == value || m.Actor.Attributes["name"] == value || len(value) >= 3 && strings.HasPrefix(m.Actor.ID, value)
		}
	}
	return nil
}

// sameImage says that a name means what is asked for: it, or its repository without the tag.
func sameImage(name, want string) bool {
	if name == want {
		return true
	}
	i := strings.LastIndexByte(name, ':')
	return i > strings.LastIndexByte(name, '/') && name[:i] == want
}
