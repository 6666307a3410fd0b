package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/opencontainers/go-digest"
)

// tellOfTransfer is a pull of two blobs.
func tellOfTransfer(p image.Progress, one, two digest.Digest) {
	p.Say("latest: Pulling from library/x\x1b")
	p.Blob(image.BlobState{Blob: one, Stage: image.BlobExists})
	p.Blob(image.BlobState{Blob: two, Stage: image.BlobAnnounced})
	for n := int64(0); n <= 4; n++ {
		p.Blob(image.BlobState{Blob: two, Stage: image.BlobDownloading, Done: n * 1000, Total: 4000})
	}
	p.Blob(image.BlobState{Blob: two, Stage: image.BlobRetrying, Seconds: 2})
	p.Blob(image.BlobState{Blob: two, Stage: image.BlobRetrying, Seconds: 1})
	p.Blob(image.BlobState{Blob: two, Stage: image.BlobPulled})
	p.Blob(image.BlobState{Blob: two, Stage: image.BlobPulled})
	p.Say("Digest: sha256:1")
}

func TestTransferAsLines(t *testing.T) {
	var out strings.Builder
	one, two := oci.Sum([]byte("1")), oci.Sum([]byte("2"))
	tellOfTransfer((&App{}).transfer(&out), one, two)
	a, b := oci.ShortID(one), oci.ShortID(two)
	want := `latest: Pulling from library/x\x1b` + "\n" + a + ": Already exists\n" + b + ": Pulling fs layer\n" + b + ": Retrying in 2 seconds\n" +
		b + ": Retrying in 1 second\n" + b + ": Pull complete\nDigest: sha256:1\n"
	if got := out.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The bar is docker's, the lines stand where they were begun, and numbers that change too fast to be read are not drawn.
func TestTransferOnATerminal(t *testing.T) {
	var out strings.Builder
	clock := time.Unix(0, 0)
	s := &transferScreen{w: &out, width: func() int { return 120 }, now: func() time.Time { return clock }, lines: map[digest.Digest]*transferLine{}}
	one, two := oci.Sum([]byte("1")), oci.Sum([]byte("2"))
	tellOfTransfer(s, one, two)
	got, short := out.String(), oci.ShortID(two)
	for _, want := range []string{
		"\n\x1b[1A\r\x1b[2K" + oci.ShortID(one) + ": Already exists\r\x1b[1B\n\x1b[1A\r\x1b[2K" + short + ": Pulling fs layer\r\x1b[1B",
		short + ": Downloading [>" + strings.Repeat(" ", 50) + "]       0B/4kB",
		short + ": Downloading [" + strings.Repeat("=", 50) + ">]      4kB/4kB",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
	if strings.Contains(got, "2kB/") || strings.Contains(got, "x\x1b\n") {
		t.Errorf("got %q", got)
	}
	clock = clock.Add(3 * time.Second)
	l := &transferLine{begun: time.Unix(0, 0)}
	if got := transferNumbers(image.BlobState{Stage: image.BlobPushing, Done: 1000, Total: 3000}, l, clock, 80); got != "     1kB/3kB 6s" {
		t.Errorf("on a narrow terminal: %q", got)
	}
}
