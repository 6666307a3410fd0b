package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// peer is another builder on this machine, and a folder for what it hands out.
type peer struct {
	imageBuilder
	name string
	load func(baseArchive string) error
}

// peers lists those that answer: docker by its daemon, buildah and buildctl by their names.
func peers(dir string) []peer {
	var list []peer
	docker := os.Getenv("LEARN_PEER_DOCKER") // a docker command that builds with BuildKit
	if docker == "" {
		docker = "docker"
	}
	if foreign("", nil, docker, "info").code == 0 {
		d := dockerPeer{docker, dir}
		list = append(list, peer{d, "docker", func(a string) error { return mustForeign(docker, "load", "-q", "-i", a) }})
	}
	if _, err := exec.LookPath("buildah"); err == nil {
		b := buildahPeer{filepath.Join(dir, "buildah")}
		list = append(list, peer{b, "buildah", func(a string) error { return mustForeign("buildah", "pull", "-q", "docker-archive:"+a) }})
	}
	if _, err := exec.LookPath("buildctl"); err == nil && os.Getenv("BUILDKIT_HOST") != "" {
		b := buildkitPeer{dir: filepath.Join(dir, "buildkit")}
		list = append(list, peer{b, "buildkit", b.load})
	}
	return list
}

// dockerPeer is docker's command over its daemon.
type dockerPeer struct{ command, dir string }

func (d dockerPeer) build(b *buildContext, tag string) result {
	argv := append([]string{d.command, "build", "-q", "-t", tag}, b.flags...)
	return foreign(b.dir, append([]string{"DOCKER_BUILDKIT=1"}, b.env...), append(argv, ".")...)
}

func (d dockerPeer) image(tag string) (*builtImage, error) {
	dir := filepath.Join(d.dir, "docker")
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		return nil, err
	}
	archive := dir + ".tar"
	if err := mustForeign(d.command, "save", "-o", archive, tag); err != nil {
		return nil, err
	}
	if err := mustForeign("tar", "-xf", archive, "-C", dir); err != nil {
		return nil, err
	}
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	img := &builtImage{open: func(i int) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, manifest[0].Layers[i])) }}
	return img, readConfig(filepath.Join(dir, manifest[0].Config), img)
}

// buildahPeer is buildah; its store is where its own settings say.
type buildahPeer struct{ dir string }

func (p buildahPeer) build(b *buildContext, tag string) result {
	argv := append([]string{"buildah", "build", "-q", "--layers", "--identity-label=false", "--format", "docker", "-t", tag}, b.flags...)
	return foreign(b.dir, b.env, append(argv, ".")...)
}

func (p buildahPeer) image(tag string) (*builtImage, error) {
	if err := mustForeign("buildah", "push", "-q", "--format", "oci", "--disable-compression", tag, "oci:"+p.dir+":"+tag); err != nil {
		return nil, err
	}
	img, err := readLayout(p.dir, func(d v1.Descriptor) bool { return d.Annotations["org.opencontainers.image.ref.name"] == tag })
	if err != nil {
		return nil, err
	}
	r := foreign("", nil, "buildah", "inspect", "--type", "image", tag)
	var all struct {
		Docker struct{ Config map[string]any }
	} // the layout has no place for what is docker's only
	err = json.Unmarshal([]byte(r.out), &all)
	img.config = all.Docker.Config
	return img, err
}

// buildkitPeer is BuildKit without docker: images go in and out as OCI image layouts.
type buildkitPeer struct{ dir string }

func (p buildkitPeer) layout(tag string) string {
	return filepath.Join(p.dir, strings.ReplaceAll(tag, "/", "-"))
}

func (p buildkitPeer) load(archive string) error {
	dir := p.layout("learn/base")
	return errors.Join(os.MkdirAll(dir, 0o755), mustForeign("tar", "-xf", archive, "-C", dir))
}

var usedImage = regexp.MustCompile(`\bt/[a-z0-9-]+`)

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

// difference is a line of the list of known differences: which cases (a pattern as of path.Match), which peers, in what, and why. In what is
// a list of build, tree, config and layers; or skip, where the peer must not be tried; or ~REGEXP for lines that count on neither side.
type difference struct {
	pattern, peers, aspect, reason string
	seen                           bool
}

func readDifferences(t *testing.T) []*difference {
	data, err := os.ReadFile(filepath.Join(tableDir, "differences.txt"))
	check(t, err)
	var list []*difference
	for _, l := range directives(data) {
		f := strings.Fields(l)
		if len(f) < 4 {
			t.Fatalf("differences.txt: %q: expected CASES PEERS ASPECTS REASON", l)
		}
		list = append(list, &difference{pattern: f[0], peers: f[1], aspect: f[2], reason: strings.Join(f[3:], " ")})
	}
	return list
}

// about lists the differences that name a case and a peer.
func about(list []*difference, id, peer string) []*difference {
	var found []*difference
	for _, d := range list {
		if ok, _ := path.Match(d.pattern, id); ok && slices.Contains(strings.Split(d.peers, ","), peer) {
			found = append(found, d)
		}
	}
	return found
}

// listed tells whether a difference in an aspect is known.
func listed(list []*difference, aspect string) bool {
	found := false
	for _, d := range list {
		if slices.Contains(strings.Split(d.aspect, ","), aspect) {
			d.seen, found = true, true
		}
	}
	return found
}

// uncounted drops the lines that count on neither side.
func uncounted(list []*difference, lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return slices.ContainsFunc(list, func(d *difference) bool {
			pattern, ok := strings.CutPrefix(d.aspect, "~")
			ok = ok && regexp.MustCompile(pattern).MatchString(l)
			d.seen = d.seen || ok
			return ok
		})
	})
}

// TestDockerfilesWithPeers builds the table with docker, buildah and BuildKit where they run, and holds what comes of it against the table.
// LEARN_PEER_CASES chooses cases: patterns as of path.Match with commas between, or 1/N for every N-th.
func TestDockerfilesWithPeers(t *testing.T) {
	dir := t.TempDir()
	all := peers(dir)
	if len(all) == 0 {
		t.Skip("no docker daemon, buildah or BuildKit answers here")
	}
	table, err := readTable(tableDir)
	check(t, err)
	m := newMachine(t, simName)
	archive := filepath.Join(dir, "base.tar")
	m.must("save", "-o", archive, "learn/base")
	var base baseImages
	img, err := learnBuilder{m}.image("learn/base")
	check(t, err)
	check(t, base.learn(img))
	differences := readDifferences(t)
	for _, p := range all {
		t.Run(p.name, func(t *testing.T) {
			check(t, p.load(archive))
			for _, file := range slices.Sorted(maps.Keys(table)) {
				if os.Getenv("LEARN_FILL") == p.name {
					fill(t, p, &base, file, table[file])
					continue
				}
				comparePeer(t, p, &base, choose(table[file]), differences)
			}
			reportUnseen(t, p, differences)
		})
	}
}

func comparePeer(t *testing.T, p peer, base *baseImages, cases []*dockerfileCase, differences []*difference) {
	for _, c := range cases {
		t.Run(c.id(), func(t *testing.T) {
			own := about(differences, c.id(), p.name)
			if listed(own, "skip") {
				t.Skip("not for this peer")
			}
			for aspect, d := range differ(t, p, base, c, own) {
				if !listed(own, aspect) {
					t.Errorf("%s: %s", aspect, d)
				}
			}
		})
	}
}

// reportUnseen names what is listed and was not met. Another release of a peer may have mended it, so it is no failure.
func reportUnseen(t *testing.T, p peer, differences []*difference) {
	for _, d := range differences {
		if !d.seen && strings.Contains(d.peers, p.name) && os.Getenv("LEARN_PEER_CASES") == "" {
			t.Logf("differences.txt: %s %s %s: not met", d.pattern, d.peers, d.aspect)
		}
	}
}

// choose picks the cases that LEARN_PEER_CASES asks for, and those whose images they stand on.
func choose(cases []*dockerfileCase) []*dockerfileCase {
	asked := os.Getenv("LEARN_PEER_CASES")
	if asked == "" {
		return cases
	}
	chosen := map[string]bool{}
	for i := len(cases) - 1; i >= 0; i-- { // images stand before what is built on them
		c := cases[i]
		if !chosen[c.tag()] && !askedFor(asked, c.id()) {
			continue
		}
		chosen[c.tag()] = true
		for _, f := range c.files {
			for _, tag := range usedImage.FindAllString(string(f.Data), -1) {
				chosen[tag] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(cases), func(c *dockerfileCase) bool { return !chosen[c.tag()] })
}

func askedFor(asked, id string) bool {
	if n, err := strconv.ParseUint(strings.TrimPrefix(asked, "1/"), 10, 32); err == nil && n > 0 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(id))
		return uint64(h.Sum32())%n == 0
	}
	return slices.ContainsFunc(strings.Split(asked, ","), func(pattern string) bool {
		ok, _ := path.Match(pattern, id)
		return ok
	})
}

// differ tells in which aspects a peer comes to something else than the table says.
func differ(t *testing.T, p peer, base *baseImages, c *dockerfileCase, own []*difference) map[string]string {
	b := newContext(t, c, p)
	r := p.build(b, c.tag())
	if (r.code != 0) != (c.want.err != nil) {
		return map[string]string{"build": fmt.Sprintf("exit code %d, the table expects success: %v\n%s", r.code, c.want.err == nil, r.err)}
	}
	if r.code != 0 {
		return nil
	}
	lines, layers, err := describe(p, base, c)
	check(t, err)
	found := map[string]string{}
	for aspect, isTree := range map[string]bool{"tree": true, "config": false} {
		want, got := aspectLines(uncounted(own, c.want.lines), isTree), aspectLines(uncounted(own, lines), isTree)
		if !sameLines(want, got) {
			found[aspect] = "(-table +peer)\n" + gocmp.Diff(want, got)
		}
	}
	if c.want.layers >= 0 && layers != c.want.layers {
		found["layers"] = fmt.Sprintf("%d layers, the table has %d", layers, c.want.layers)
	}
	return found
}

func aspectLines(lines []string, tree bool) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return (strings.HasPrefix(l, "env ") || strings.HasPrefix(l, "config ")) == tree
	})
}
