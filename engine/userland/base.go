package userland

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// BaseOptions are what the layer of learn/base is made of.
type BaseOptions struct {
	// Binary is the file of this program. A dynamically linked one brings its loader and libraries along,
	// at the paths where it looks for them. Without one, /bin/learn is a text that only a simulated machine can run.
	Binary string
}

// simulatedProgram is /bin/learn where there is no Linux binary to put there. Its first line is how a simulated machine knows it.
const simulatedProgram = "#!learn\n" +
	"These programs are carried out by the simulator of learn. To run them on a real Linux kernel, load an image that was made on Linux.\n"

// BaseLayer writes the one layer of learn/base as a tar: the binary under /bin/learn with a link for every
// program, a small /etc and the usual folders. The same binary gives the same bytes: entries are sorted, owned
// by root, and dated to the epoch.
func BaseLayer(w io.Writer, o BaseOptions) error {
	files, err := baseFiles(o)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, f := range files {
		if err := f.write(out); err != nil {
			return fmt.Errorf("write base layer: %s: %w", f.name, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write base layer: %w", err)
	}
	return nil
}

// baseFile is one entry: a folder (no text, no source, no link), a text, a link or a copy of a file.
type baseFile struct {
	name, text, link, source string
	mode                     int64
	dir                      bool
}

func (f baseFile) write(out *tar.Writer) error {
	h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text)), Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case f.dir:
		h.Typeflag, h.Name = tar.TypeDir, f.name+"/"
	case f.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
	case f.source != "":
		return f.copy(out, h)
	}
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.WriteString(out, f.text)
	return err
}

func (f baseFile) copy(out *tar.Writer, h *tar.Header) error {
	in, err := os.Open(f.source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := out.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

// baseFiles lists the entries, parents before what they hold.
func baseFiles(o BaseOptions) ([]baseFile, error) {
	var files []baseFile
	for _, d := range []string{"bin", "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp", "usr", "usr/bin",
		"usr/local", "usr/local/bin", "usr/sbin", "sbin", "var", "var/cache", "var/lib", "var/log", "var/tmp"} {
		mode := int64(0o755)
		switch d {
		case "tmp", "var/tmp":
			mode = 0o1777
		case "root":
			mode = 0o700
		}
		files = append(files, baseFile{name: d, mode: mode, dir: true})
	}
	files = append(files, baseFile{name: "var/run", link: "../run", mode: 0o777}, o.program())
	for _, name := range Names() {
		files = append(files, baseFile{name: "bin/" + name, link: "learn", mode: 0o777}, baseFile{name: "usr/bin/" + name, link: "../../bin/learn", mode: 0o777})
	}
	for name, text := range baseTexts() {
		mode := int64(0o644)
		if name == "etc/shadow" {
			mode = 0o600
		}
		files = append(files, baseFile{name: name, text: text, mode: mode})
	}
	if o.Binary == "" {
		slices.SortFunc(files, func(a, b baseFile) int { return strings.Compare(a.name, b.name) })
		return files, nil
	}
	libraries, err := libraries(o.Binary)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, f := range files {
		known[f.name] = true
	}
	for _, lib := range libraries {
		files = append(files, parents(known, lib)...)
		files = append(files, baseFile{name: strings.TrimPrefix(lib, "/"), source: lib, mode: 0o755})
	}
	slices.SortFunc(files, func(a, b baseFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// program is the file that all the links lead to.
func (o BaseOptions) program() baseFile {
	if o.Binary == "" {
		return baseFile{name: "bin/learn", text: simulatedProgram, mode: 0o755}
	}
	return baseFile{name: "bin/learn", source: o.Binary, mode: 0o755}
}

// parents are the folders that a file needs and that are not there yet.
func parents(known map[string]bool, file string) []baseFile {
	var dirs []baseFile
	for dir := path.Dir(strings.TrimPrefix(file, "/")); dir != "." && !known[dir]; dir = path.Dir(dir) {
		known[dir] = true
		dirs = append(dirs, baseFile{name: dir, mode: 0o755, dir: true})
	}
	return dirs
}

// baseTexts are the files of /etc.
func baseTexts() map[string]string {
	return map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
		"etc/group":         "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwheel:x:10:root\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
		"etc/shadow":        "root:*::0:99999:7:::\ndaemon:*::0:99999:7:::\nwww-data:*::0:99999:7:::\nnobody:*::0:99999:7:::\n",
		"etc/hostname":      "localhost\n",
		"etc/hosts":         "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n",
		"etc/os-release":    "NAME=\"learn base\"\nPRETTY_NAME=\"learn base\"\nID=learn\nVERSION_ID=1\n",
		"etc/issue":         "learn base\n",
		"etc/profile":       "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
		"etc/shells":        "/bin/sh\n/bin/bash\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
	}
}
