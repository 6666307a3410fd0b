package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/learn-containers/learn/engine/oci"
	"github.com/learn-containers/learn/engine/registry"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// outside runs a program of others and gives its output.
func outside(t *testing.T, name string, words ...string) string {
	t.Helper()
	out, err := exec.Command(name, words...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(words, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func descriptorOf(mediaType, data string) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: oci.Sum([]byte(data)), Size: int64(len(data))}
}

func opened(data string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil }
}

func manifestOf(config, layer string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`, oci.MediaTypeManifest,
		oci.MediaTypeConfig, oci.Sum([]byte(config)), len(config), oci.MediaTypeLayer, oci.Sum([]byte(layer)), len(layer))
}

func mustRef(t testing.TB, name string) oci.Ref {
	t.Helper()
	ref, err := oci.ParseRef(name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func readBlob(ctx context.Context, c *registry.Client, ref oci.Ref, d v1.Descriptor) error {
	r, err := c.Blob(ctx, ref, d)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// isRegistryPoint tells the failpoints of the registry, which is a process of its own, from those of docker's commands.
func isRegistryPoint(name string) bool { return strings.HasPrefix(name, "depot.") }
