package main

import (
	"fmt"
	"hash/fnv"
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
)

// peer is another builder on this machine.
type peer struct {
	peerBuilder
	name string
}

type peerBuilder interface {
	imageBuilder
	// load takes the base image from an archive.
	load(archive string) error
	// remove takes back names of images.
	remove(tags []string)
}

// peers lists those that answer: docker by its daemon, buildah by its name, BuildKit by BUILDKIT_HOST.
func peers(t *testing.T, dir string) []peer {
	var list []peer
	docker := os.Getenv("LEARN_PEER_DOCKER") // a docker command that builds with BuildKit
	if docker == "" {
		docker = "docker"
	}
	if foreign("", nil, docker, "info").code == 0 {
		list = append(list, peer{dockerPeer{docker, dir}, "docker"})
	}
	if _, err := exec.LookPath("buildah"); err == nil {
		list = append(list, peer{newBuildah(t, filepath.Join(dir, "buildah")), "buildah"})
	}
	if _, err := exec.LookPath("buildctl"); err == nil && os.Getenv("BUILDKIT_HOST") != "" {
		list = append(list, peer{buildkitPeer{dir: filepath.Join(dir, "buildkit")}, "buildkit"})
	}
	return list
}

var usedImage = regexp.MustCompile(`\bt/[a-z0-9-]+`)

// TestDockerfilesWithPeers builds the table with docker, buildah and BuildKit where they run, and holds what comes of it against the table.
// LEARN_PEER_CASES chooses cases: all, patterns as of path.Match with commas between, or 1/N for every N-th. Without it N is 36, as the peers and the
// table, of which nothing here is built by our own builder, seldom change; with LEARN_TEST_LONG=1 it is 12.
func TestDockerfilesWithPeers(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := t.TempDir()
	all := peers(t, dir)
	if len(all) == 0 {
		lacks(t, "no docker daemon, buildah or BuildKit answers here")
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
			t.Cleanup(func() { p.remove(tags(table)) })
			check(t, p.load(archive))
			for _, file := range slices.Sorted(maps.Keys(table)) {
				if os.Getenv("LEARN_FILL") == p.name {
					fill(t, p, &base, file, table[file])
					continue
				}
				comparePeer(t, p, &base, choose(table[file]), differences)
			}
			if chosenCases() == "all" {
				reportUnseen(t, p, differences)
			}
		})
	}
}

func tags(table map[string][]*dockerfileCase) []string {
	list := []string{"learn/base", "t/base-of-mine"}
	for _, cases := range table {
		for _, c := range cases {
			list = append(list, c.tag())
		}
	}
	return list
}

func chosenCases() string {
	if asked := os.Getenv("LEARN_PEER_CASES"); asked != "" {
		return asked
	}
	if whole() {
		return "1/12"
	}
	return "1/36"
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

// choose picks the cases that LEARN_PEER_CASES asks for, and those whose images they stand on.
func choose(cases []*dockerfileCase) []*dockerfileCase {
	asked := chosenCases()
	if asked == "all" {
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
	if err != nil {
		return map[string]string{"build": err.Error()}
	}
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
