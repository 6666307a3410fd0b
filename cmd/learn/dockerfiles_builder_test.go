package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/learn-containers/learn/trace/tracefile"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageBuilder is a builder that the table is held against: ours on a driver, or a peer.
type imageBuilder interface {
	// build builds the context under a name. The result's code is not 0 if the builder refused.
	build(b *buildContext, tag string) result
	// image reads what was built.
	image(tag string) (*builtImage, error)
}

// learnBuilder is our own, on the driver of its machine.
type learnBuilder struct{ *machine }

func (l learnBuilder) build(b *buildContext, tag string) result {
	_ = os.Remove(l.tracePath()) // a trace is appended to
	at := *l.machine
	at.dir = b.dir
	argv := append([]string{"docker", "build", "-q", "-t", tag}, b.flags...)
	return at.run(append([]string{"LEARN_TRACE=" + l.tracePath()}, b.env...), append(argv, ".")...)
}

func (l learnBuilder) tracePath() string { return filepath.Join(l.dir, "trace.jsonl") }

// image reads the home's own image layout.
func (l learnBuilder) image(tag string) (*builtImage, error) {
	return readLayout(filepath.Join(l.home, "images"), func(d v1.Descriptor) bool {
		name := d.Annotations["io.containerd.image.name"]
		return name == "docker.io/"+tag+":latest"
	})
}

// cached lists "hit INSTRUCTION" and "miss INSTRUCTION" of the last build, in the words of the Dockerfile.
func (l learnBuilder) cached() ([]string, error) {
	events, err := tracefile.ReadFile(l.tracePath())
	if err != nil {
		return nil, err
	}
	var list []string
	steps := map[uint64]string{}
	for _, e := range events {
		switch e.Kind {
		case "build.step":
			if v := e.Attr("instruction").Str(); v != "" {
				steps[e.Span] = v
			}
		case "cache.hit", "cache.miss":
			list = append(list, strings.TrimPrefix(e.Kind, "cache.")+" "+firstLine(steps[e.Span]))
		}
	}
	return list, nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}

// readLayout reads an image of an OCI image layout.
func readLayout(dir string, which func(v1.Descriptor) bool) (*builtImage, error) {
	var index v1.Index
	if err := readJSON(filepath.Join(dir, "index.json"), &index); err != nil {
		return nil, err
	}
	blob := func(d digest.Digest) string { return filepath.Join(dir, "blobs", d.Algorithm().String(), d.Encoded()) }
	for _, d := range index.Manifests {
		if !which(d) {
			continue
		}
		var m v1.Manifest
		if err := readJSON(blob(d.Digest), &m); err != nil {
			return nil, err
		}
		img := &builtImage{open: func(i int) (io.ReadCloser, error) { return os.Open(blob(m.Layers[i].Digest)) }}
		return img, readConfig(blob(m.Config.Digest), img)
	}
	return nil, fmt.Errorf("%s: no such image", dir)
}

func readConfig(path string, img *builtImage) error {
	var c struct {
		Config map[string]any
		RootFS v1.RootFS `json:"rootfs"`
	}
	err := readJSON(path, &c)
	img.config, img.diffIDs = c.Config, c.RootFS.DiffIDs
	return err
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// foreign runs a program of a peer in dir.
func foreign(dir string, env []string, argv ...string) result {
	var out, errs bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return result{err: err.Error(), code: -1}
	}
	return result{out: out.String(), err: errs.String(), code: cmd.ProcessState.ExitCode()}
}

func mustForeign(argv ...string) error {
	if r := foreign("", nil, argv...); r.code != 0 {
		return fmt.Errorf("%s: exit code %d: %s", strings.Join(argv, " "), r.code, r.err)
	}
	return nil
}
