package container_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/oci"
)

const someLog = `{"log":"one\n","stream":"stdout","time":"2024-01-01T00:00:01Z"}
{"log":"two\n","stream":"stderr","time":"2024-01-01T00:00:02.5Z"}
{"log":"thr{"lo
{"log":"three\n","stream":"stdout","time":"2024-01-01T00:00:03Z"}
{"log":"torn`

func TestLogs(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	c := b.create("web")
	b.must(b.Logs(b.ctx, "web", container.LogOptions{}, nil, nil)) // none yet
	b.must(os.WriteFile(c.LogPath, []byte(someLog), 0o600))
	tests := []struct {
		opts        container.LogOptions
		out, errOut string
	}{
		{container.LogOptions{}, "one\nthree\n", "two\n"},
		{container.LogOptions{Tail: "1"}, "three\n", ""},
		{container.LogOptions{Tail: "0"}, "", ""},
		{container.LogOptions{Tail: "100"}, "one\nthree\n", "two\n"},
		{container.LogOptions{Tail: "all", Since: "2024-01-01T00:00:02Z"}, "three\n", "two\n"},
		{container.LogOptions{Until: "1704067202"}, "one\n", ""},
		{container.LogOptions{Since: "1704067202.6"}, "three\n", ""},
		{container.LogOptions{Since: "1h"}, "", ""},
		{container.LogOptions{Timestamps: true, Tail: "3"}, "2024-01-01T00:00:03.000000000Z three\n", "2024-01-01T00:00:02.500000000Z two\n"},
	}
	for _, tt := range tests {
		var out, errOut bytes.Buffer
		b.must(b.Logs(b.ctx, "web", tt.opts, &out, &errOut))
		if out.String() != tt.out || errOut.String() != tt.errOut {
			t.Errorf("%+v: got %q and %q, want %q and %q", tt.opts, out.String(), errOut.String(), tt.out, tt.errOut)
		}
	}
	for _, bad := range []container.LogOptions{{Tail: "x"}, {Since: "yesterday"}, {Until: "1.x"}} {
		if err := b.Logs(b.ctx, "web", bad, nil, nil); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestFollowEndsWithTheContainer(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	c := b.create("web")
	b.start("web")
	go func() {
		task := b.task(c.ID)
		for _, word := range []string{"a", "b"} {
			time.Sleep(20 * time.Millisecond)
			task.print(word+"\n", driver.Streams{})
		}
		task.end(driver.Exit{})
	}()
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	var out bytes.Buffer
	b.must(b.Logs(ctx, "web", container.LogOptions{Follow: true}, &out, nil))
	if out.String() != "a\nb\n" {
		t.Errorf("followed %q", out.String())
	}
}

func FuzzLogLine(f *testing.F) {
	f.Add([]byte(someLog))
	f.Add([]byte("\n\n{}\n"))
	b := newBench(f, oci.ImageConfig{Cmd: []string{"sleep"}})
	c, err := b.Create(b.ctx, container.CreateOptions{Name: "web", Image: "img"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(c.LogPath, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var all, tail strings.Builder
		if err := b.Logs(b.ctx, "web", container.LogOptions{}, &all, &all); err != nil {
			t.Fatal(err)
		}
		if err := b.Logs(b.ctx, "web", container.LogOptions{Tail: "2"}, &tail, &tail); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(all.String(), tail.String()) {
			t.Fatalf("the tail %q is not the end of %q", tail.String(), all.String())
		}
	})
}
