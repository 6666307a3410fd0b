package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// buildkitPeer is BuildKit without docker: images go in and out as OCI image layouts.
type buildkitPeer struct{ dir string }

func (p buildkitPeer) layout(tag string) string {
	return filepath.Join(p.dir, strings.ReplaceAll(tag, "/", "-"))
}

func (p buildkitPeer) remove([]string) {} // it has no names

func (p buildkitPeer) load(archive string) error {
	dir := p.layout("learn/base")
	return errors.Join(os.MkdirAll(dir, 0o755), mustForeign("tar", "-xf", archive, "-C", dir))
}

func (p buildkitPeer) build(b *buildContext, tag string) result {
	if err := os.RemoveAll(p.layout(tag)); err != nil {
		return result{err: err.Error(), code: -1}
	}
	file, flags := "Dockerfile", []string{}
	for i := 0; i < len(b.flags); i++ {
		name, value, ok := strings.Cut(b.flags[i], "=")
		if !ok && i+1 < len(b.flags) && !strings.HasPrefix(b.flags[i+1], "-") {
			i++
			value = b.flags[i]
		}
		switch name {
		case "-f":
			file = value
		case "--build-arg", "--label":
			if name == "--label" && !strings.Contains(value, "=") {
				value += "="
			}
			flags = append(flags, "--opt", strings.TrimPrefix(name, "--")+":"+value)
		case "--secret", "--ssh":
			flags = append(flags, name, value)
		case "--add-host":
			flags = append(flags, "--opt", "add-hosts="+strings.Replace(value, ":", "=", 1))
		case "--network":
			flags = append(flags, "--opt", "force-network-mode="+value)
		case "--no-cache-filter":
			flags = append(flags, "--opt", "no-cache="+value)
		case "--no-cache":
			flags = append(flags, "--opt", "no-cache=")
		default:
			flags = append(flags, "--opt", strings.TrimPrefix(name, "--")+"="+value)
		}
	}
	contexts, err := p.contexts(b)
	if err != nil {
		return result{err: err.Error(), code: -1}
	}
	argv := append([]string{"buildctl", "build", "--progress=plain", "--frontend=dockerfile.v0", "--local=context=.", "--local=dockerfile=.", "--opt=filename=" + file,
		"--output=type=oci,tar=false,compression=uncompressed,dest=" + p.layout(tag)}, flags...)
	return foreign(b.dir, b.env, append(argv, contexts...)...)
}

// contexts makes the images that the Dockerfiles name known.
func (p buildkitPeer) contexts(b *buildContext) ([]string, error) {
	var argv []string
	names := map[string]bool{"learn/base": true}
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, tag := range usedImage.FindAllString(string(data), -1) {
			names[tag] = true
		}
		return err
	})
	for tag := range names {
		var index v1.Index
		if readJSON(filepath.Join(p.layout(tag), "index.json"), &index) != nil || len(index.Manifests) == 0 {
			continue
		}
		store := strings.ReplaceAll(tag, "/", "-")
		argv = append(argv, "--oci-layout="+store+"="+p.layout(tag), fmt.Sprintf("--opt=context:%s=oci-layout://%s@%s", tag, store, index.Manifests[0].Digest))
	}
	return argv, err
}

func (p buildkitPeer) image(tag string) (*builtImage, error) {
	return readLayout(p.layout(tag), func(v1.Descriptor) bool { return true })
}
