package build

import (
	"io"
	"io/fs"
	"strings"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/dockerfile"
)

// copySpec is what a COPY or ADD asks for, expanded.
type copySpec struct {
	name       string // COPY or ADD
	paths      []string
	inline     []dockerfile.SourceContent
	dest       string
	from       string
	chown      string
	chmod      string
	exclude    []string
	link       bool
	parents    bool
	unpack     *bool  // ADD: said so; without it, local archives are unpacked and fetched ones are not
	checksum   string // ADD: of what is fetched
	keepGitDir *bool  // ADD
}

func copyOf(c *dockerfile.Copy) copySpec {
	return copySpec{name: "COPY", paths: c.SourcePaths, inline: c.SourceContents, dest: c.DestPath, from: c.From,
		chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns, link: c.Link, parents: c.Parents}
}

func addOf(c *dockerfile.Add) copySpec {
	return copySpec{name: "ADD", paths: c.SourcePaths, inline: c.SourceContents, dest: c.DestPath,
		chown: c.Chown, chmod: c.Chmod, exclude: c.ExcludePatterns, link: c.Link, unpack: c.Unpack, checksum: c.Checksum, keepGitDir: c.KeepGitDir}
}

// apart tells whether the layer stands for itself. As in BuildKit, --chmod takes --link back.
func (c copySpec) apart() bool { return c.link && c.chmod == "" }

// unpacks tells whether archives among src's files are unpacked.
func (c copySpec) unpacks(src string) bool {
	if c.unpack != nil {
		return *c.unpack
	}
	return c.name == "ADD" && !isRemote(src)
}

// text is the canonical form, as the history has it.
func (c copySpec) text() string {
	words := []string{c.name}
	if c.parents {
		words = append(words, "--parents")
	}
	if c.chown != "" {
		words = append(words, "--chown="+c.chown)
	}
	if c.chmod != "" {
		words = append(words, "--chmod="+c.chmod)
	}
	for _, p := range c.paths {
		words = append(words, fetch.Redact(p))
	}
	for _, in := range c.inline {
		words = append(words, "<<"+in.Path)
	}
	return strings.Join(append(words, c.dest), " ")
}

// keyText is text with the flags that change the layer and that the history leaves out. What --exclude leaves is in the inputs.
func (c copySpec) keyText() string {
	words, rest, _ := strings.Cut(c.text(), " ")
	if c.apart() {
		words += " --link"
	}
	if c.unpack != nil && *c.unpack {
		words += " --unpack"
	} else if c.unpack != nil {
		words += " --unpack=false"
	}
	return words + " " + rest
}

// noTree is a source that has nothing.
type noTree struct{}

func (noTree) lstat(p string) (node, error) {
	return node{}, &fs.PathError{Op: "stat", Path: p, Err: fs.ErrNotExist}
}
func (noTree) list(string) ([]string, error) { return nil, nil }
func (noTree) open(p string) (io.ReadCloser, error) {
	return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
}
func (noTree) digest([]*node) error { return nil }

// document is a source that has one text under any name.
type document struct {
	noTree
	text string
}

func (d document) open(string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader(d.text)), nil
}
