package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

type elsewhere struct{}

func (elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("asked for " + r.URL.Host)
}

// The client of this project pushes and pulls without a port, and the other side's events are in its trace.
func TestTransport(t *testing.T) {
	l := newLab(t, Options{})
	c := registry.New(registry.Config{CredentialsDir: t.TempDir(), Transport: &Transport{Host: "localhost:5000", Handler: l, Next: elsewhere{}}})
	events := &trace.Collect{}
	ctx := trace.With(t.Context(), trace.New(events))
	ref, err := oci.ParseRef("localhost:5000/team/app:1")
	if err != nil {
		t.Fatal(err)
	}
	blob := bytes.Repeat([]byte("layer"), 100_000)
	d := v1.Descriptor{MediaType: oci.MediaTypeLayer, Digest: oci.Sum(blob), Size: int64(len(blob))}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob)), nil }
	for _, want := range []bool{false, true} {
		if existed, err := c.PushBlob(ctx, ref, d, open); err != nil || existed != want {
			t.Fatal(existed, err)
		}
	}
	r, err := c.Blob(ctx, ref, d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, blob) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if r, err = c.Blob(ctx, ref, d); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil { // without reading it
		t.Error(err)
	}
	var acts []string
	for _, e := range events.Events() {
		if e.Kind == vocab.RegistryBlob {
			acts = append(acts, e.Attr("act").Str())
		}
	}
	if got := strings.Join(acts, " "); got != "lacks takes has gives gives" {
		t.Errorf("events: %s", got)
	}
	other, err := oci.ParseRef("other.example/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Blob(ctx, other, d); err == nil || !strings.Contains(err.Error(), "asked for other.example") {
		t.Errorf("another host: %v", err)
	}
}
