package view

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/learn-containers/learn/trace/world"
)

const (
	base = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	top  = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	app  = "sha256:1f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c9a0b77d21f3c"
)

func sample() world.World {
	low := world.Layer{DiffID: base, Size: 12_000_000}
	high := world.Layer{DiffID: top, Size: 2048, Whiteouts: []string{"/big.bin"}, Deleted: 1}
	return world.World{
		Layers: []world.Layer{low, high},
		Images: []world.Image{
			{Exists: true, ID: base[:40], Refs: []string{"learn/base:latest"}, Layers: []world.Layer{low}, Size: 12_000_000},
			{Exists: true, ID: app, Layers: []world.Layer{low, high}, Size: 12_002_048},
		},
		Containers: []world.Container{{Exists: true, ID: strings.Repeat("c1", 32), Name: "brave_tim", Image: app, Command: []string{"sh", "-c", "sleep 9"},
			State: "running", PID: 4711, CopiedBytes: 4096, Changes: []world.Change{
				{Path: "/greeting", Kind: "C", Layer: base, CopiedBytes: 4096, ChangedBytes: 6},
				{Path: "/new", Kind: "A", Type: "file", Size: 12},
				{Path: "/old\x1b[2J", Kind: "D", Layer: base},
			}}},
		Blobs: []world.Blob{{Digest: base, Size: 12_000_000}},
	}
}

func TestFrame(t *testing.T) {
	want := `Images: 2
  learn/base:latest, image aaaaaaaaaaaa, 12.0 MB, 1 layer
    [L1] sha256:aaaaaaaaaaaa…  12.0 MB, shared by 2 images
  image 1f3c9a0b77d2 (no name), 12.0 MB, 2 layers
    [L2] sha256:bbbbbbbbbbbb…  2,048 bytes, hides /big.bin
    [L1] sha256:aaaaaaaaaaaa…  12.0 MB, shared by 2 images
Containers: 1
  brave_tim, c1c1c1c1c1c1, running, process 4711
    command: sh -c 'sleep 9'
    [writable] 3 changes, 4,096 bytes copied up
      C /greeting  (copied from [L1]; 6 of 4,096 bytes changed)
      A /new  (12 bytes)
      D /old\x1b[2J  (hidden; [L1] still holds it)
    on image 1f3c9a0b77d2 (no name): [L2] [L1]
Store: 1 blob, 12.0 MB; build cache: 0 results
Layers of all images: 12.0 MB, because shared ones count once; without sharing it would be 24.0 MB
`
	if diff := cmp.Diff(want, Frame(sample(), nil, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestFrameShowsNetworks(t *testing.T) {
	id := strings.Repeat("c1", 32)
	w := world.World{
		Containers: []world.Container{{Exists: true, ID: id, Name: "web", State: "running", PID: 4711, Command: []string{"httpd"},
			Ports:   []world.Port{{Protocol: "tcp", Host: "0.0.0.0:8080", To: "172.18.0.2:80"}},
			Refused: []world.Refusal{{Host: "0.0.0.0:8080", To: "172.18.0.2:80", Error: "connection refused"}}}},
		Networks: []world.Network{{Exists: true, ID: "n0", Name: "bridge"}, {Exists: true, ID: "n1", Name: "shop\x1b", Subnets: []string{"172.18.0.0/16"}, Bridge: "br-1", Internal: true,
			Members: []world.Endpoint{{Container: id, Addresses: []string{"172.18.0.2/16"}, Interface: "eth0", HostEnd: "veth1"}, {Container: "gone", Addresses: []string{"172.18.0.3/16"}}}}},
	}
	got := Frame(w, nil, 0)
	for _, want := range []string{"    published: 0.0.0.0:8080/tcp leads to 172.18.0.2:80\n", "    refused: 1 connection; last: 172.18.0.2:80, connection refused\n",
		"Network shop\\x1b, 172.18.0.0/16, bridge br-1, internal\n  web, 172.18.0.2/16, eth0 by cable veth1\n  gone, 172.18.0.3/16\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "Network bridge") {
		t.Errorf("a network that nobody is in is shown:\n%s", got)
	}
}

func TestFrameTellsTheEvent(t *testing.T) {
	e := trace.Event{Seq: 12, Kind: vocab.CowRemove, Phase: trace.Note, Attrs: []trace.Attr{trace.String("key", "c1"), trace.String("path", "/x")}}
	want := `Event 12: cow.remove, note
  /x is gone for good. Only the
  writable layer had it, so no
  mark is needed to hide
  anything.

Images: none
Containers: none
Store: 0 blobs, 0 bytes; build…
`
	if diff := cmp.Diff(want, Frame(world.World{}, &e, 31)); diff != "" {
		t.Error(diff)
	}
}

func TestFrameKeepsToItsWidth(t *testing.T) {
	for _, width := range []int{1, 20, 40, 79} {
		for line := range strings.Lines(Frame(sample(), nil, width)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
		}
	}
}

func TestFrameShortensLongLists(t *testing.T) {
	w := sample()
	for range 5000 {
		w.Containers[0].Changes = append(w.Containers[0].Changes, world.Change{Path: "/x", Kind: "A"})
	}
	if got := Frame(w, nil, 80); !strings.Contains(got, "and 4,991 more") || strings.Count(got, "\n") > 40 {
		t.Error(got)
	}
}
