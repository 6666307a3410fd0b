package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// buildahPeer is buildah. Its store is where its own settings say, or else in its folder.
type buildahPeer struct {
	dir   string
	flags []string
	env   []string
}

func newBuildah(t *testing.T, dir string) buildahPeer {
	check(t, os.Mkdir(dir, 0o755))
	p := buildahPeer{dir: dir}
	if os.Getenv("BUILDAH_ISOLATION") == "" {
		p.env = []string{"BUILDAH_ISOLATION=chroot"} // no runtime needed
	}
	if os.Getenv("CONTAINERS_STORAGE_CONF") == "" {
		root := filepath.Join(dir, "root")
		p.flags = []string{"--root", root, "--runroot", filepath.Join(dir, "run"), "--storage-driver", "overlay"}
		t.Cleanup(func() { foreign("", nil, "umount", "-R", filepath.Join(root, "overlay")) }) // it mounts that over itself
	}
	return p
}

func (p buildahPeer) run(dir string, env []string, words ...string) result {
	return foreign(dir, append(p.env, env...), append(append([]string{"buildah"}, p.flags...), words...)...)
}

func (p buildahPeer) must(words ...string) error {
	if r := p.run("", nil, words...); r.code != 0 {
		return fmt.Errorf("buildah %s: exit code %d: %s", strings.Join(words, " "), r.code, r.err)
	}
	return nil
}

func (p buildahPeer) load(archive string) error {
	return p.must("pull", "-q", "docker-archive:"+archive)
}

func (p buildahPeer) remove(tags []string) { p.run("", nil, append([]string{"rmi", "-f"}, tags...)...) }

func (p buildahPeer) build(b *buildContext, tag string) result {
	words := append([]string{"build", "-q", "--layers", "--identity-label=false", "--format", "docker", "-t", tag}, b.flags...)
	return p.run(b.dir, b.env, append(words, ".")...)
}

func (p buildahPeer) image(tag string) (*builtImage, error) {
	layout := filepath.Join(p.dir, "layout")
	if err := p.must("push", "-q", "--format", "oci", "--disable-compression", tag, "oci:"+layout+":"+tag); err != nil {
		return nil, err
	}
	img, err := readLayout(layout, func(d v1.Descriptor) bool { return d.Annotations["org.opencontainers.image.ref.name"] == tag })
	if err != nil {
		return nil, err
	}
	var all struct { // the layout has no place for what is docker's only
		Docker struct{ Config map[string]any }
	}
	err = json.Unmarshal([]byte(p.run("", nil, "inspect", "--type", "image", tag).out), &all)
	img.config = all.Docker.Config
	return img, err
}
