package lint

import (
	"path"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// made is a path that a step puts into its layer.
type made struct {
	path string
	by   step
}

// maxSteps bounds the steps that are compared with one another: no image has more layers.
const maxSteps = 2000

// layerAdvice is about the bytes that an image carries along without using them.
func (w *walk) layerAdvice(chain []*state) {
	var files []made
	steps := 0
	for _, s := range chain {
		steps += len(s.steps)
	}
	if steps > maxSteps {
		return
	}
	for _, s := range chain {
		for _, st := range s.steps {
			switch c := st.cmd.(type) {
			case *dockerfile.Copy:
				files = append(files, copied(st, c.SourcePaths, c.SourceContents, c.DestPath)...)
			case *dockerfile.Add:
				files = append(files, copied(st, c.SourcePaths, c.SourceContents, c.DestPath)...)
			case *dockerfile.Run:
				calls := w.calls(st, c)
				w.deleted(st, calls, files)
				w.packageCaches(st, calls)
				files = append(files, written(st, calls)...)
			}
		}
	}
}

// copied are the paths that a COPY makes. A single folder's content can't be told from a single file: both count as the destination.
func copied(st step, sources []string, contents []dockerfile.SourceContent, dest string) []made {
	to := absolute(dirOr(st.workdir), dest)
	into := strings.HasSuffix(dest, "/") || dest == "." || len(sources)+len(contents) > 1
	var out []made
	if !into && to != "/" {
		out = append(out, made{to, st})
	}
	for _, src := range sources {
		if base := path.Base(src); into && base != "." && base != "/" && !strings.ContainsAny(base, "*?[") {
			out = append(out, made{path.Join(to, base), st})
		}
	}
	for _, src := range contents {
		if into {
			out = append(out, made{path.Join(to, src.Path), st})
		}
	}
	return out
}

// written are the paths that commands name as what they make.
func written(st step, calls []call) []made {
	var out []made
	add := func(c call, p string) {
		if p != "" && !strings.HasPrefix(p, "-") && !strings.ContainsAny(p, "*?[$") {
			if p = absolute(c.dir, p); p != "/" && !strings.HasPrefix(p, "/dev/") && !covered(st, p) {
				out = append(out, made{p, st})
			}
		}
	}
	for _, c := range calls {
		args := c.words[1:]
		switch c.name() {
		case ">":
			add(c, args[0])
		case "curl", "wget":
			download(c, add)
		case "mkdir", "touch":
			for _, a := range args {
				add(c, a)
			}
		case "cp", "mv", "install":
			if len(args) > 1 {
				add(c, args[len(args)-1])
			}
		case "git":
			if len(args) > 2 && args[0] == "clone" {
				add(c, args[len(args)-1])
			}
		}
	}
	return out
}

func download(c call, add func(call, string)) {
	args := c.words[1:]
	for i, a := range args {
		isOut := a == "-o" && c.name() == "curl" || a == "-O" && c.name() == "wget" || a == "--output" || a == "--output-document"
		switch {
		case isOut && i+1 < len(args):
			add(c, args[i+1])
		case strings.HasPrefix(a, "http") && (c.name() == "wget" && !c.has("-O", "-qO", "-qO-", "-O-", "--output-document") || c.has("-O", "-LO", "-sLO", "-fsSLO", "-OL", "--remote-name")):
			add(c, path.Base(a))
		}
	}
}

// deleted looks for rm of what an earlier layer holds.
func (w *walk) deleted(st step, calls []call, files []made) {
	for _, c := range calls {
		if c.name() != "rm" {
			continue
		}
		for _, a := range c.words[1:] {
			if a == "" || strings.HasPrefix(a, "-") {
				continue
			}
			p := absolute(c.dir, strings.TrimSuffix(a, "/*"))
			for _, f := range files {
				if f.by.in.Line != st.in.Line && (f.path == p || strings.HasPrefix(f.path, strings.TrimSuffix(p, "/")+"/")) {
					w.tell(ruleDeletedLater, st, "rm %s: the layer of line %d has %s, and keeps its bytes", a, f.by.in.Line, f.path)
					break
				}
			}
		}
	}
}

// covered tells whether p is below a mount, so that nothing of it gets into the layer.
func covered(st step, p string) bool {
	for _, m := range st.mounts {
		if m.Target != "" && (p == m.Target || strings.HasPrefix(p, m.Target+"/")) {
			return true
		}
	}
	return false
}
