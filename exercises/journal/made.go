package journal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// maxMade bounds what one line may say was made.
const maxMade = 10_000

// Made lists what events say was made under a name that another machine gives otherwise: images with their manifests and layers, containers,
// networks and processes, in order, each as its kind and its id or number.
func Made(events []trace.Event) []string {
	var out []string
	add := func(kind, id string) {
		if _, hex, ok := strings.Cut(id, ":"); ok {
			id = hex
		}
		if id != "" && len(out) < maxMade {
			out = append(out, kind+" "+id)
		}
	}
	for _, e := range events {
		switch e.Kind {
		case vocab.ImageCreate:
			if e.Attr("origin").Str() == "base" { // where a home is ready, it was made before anything is told
				continue
			}
			add("image", e.Attr("image").Str())
			add("manifest", e.Attr("manifest").Str())
			for _, id := range e.Attr("diff_ids").List() {
				add("layer", id)
			}
		case vocab.RegistryManifest: // its layers are compressed, so it is not the engine's own
			if e.Attr("act").Str() == "takes" {
				add("manifest", e.Attr("digest").Str())
			}
		case vocab.ContainerCreate:
			add("container", e.Attr("container").Str())
		case vocab.NetworkCreate:
			add("network", e.Attr("network").Str())
		case vocab.ProcExec:
			add("process", strconv.FormatInt(e.Attr("pid").Int(), 10))
		}
	}
	return out
}

func validMade(list []string) error {
	if len(list) > maxMade {
		return fmt.Errorf("%d things made; expected at most %d", len(list), maxMade)
	}
	for _, m := range list {
		kind, id, ok := strings.Cut(m, " ")
		if !ok || len(m) > 100 || id == "" || strings.Trim(id, "0123456789abcdef") != "" || !slices.Contains([]string{"image", "manifest", "layer", "container", "network", "process"}, kind) {
			return fmt.Errorf("made %.100q; expected a kind and an id", m)
		}
	}
	return nil
}

// Names translates the ids of the machine where a journal was kept into those of the one where it is carried out again. The zero value knows none.
type Names struct {
	ids       map[string]string // of images, containers and the like, in full
	processes map[string]string
}

// Learn pairs what was made there with what the same command made here: the first image with the first image, and so on.
func (n *Names) Learn(there, here []string) {
	if n.ids == nil {
		n.ids, n.processes = map[string]string{}, map[string]string{}
	}
	left := map[string][]string{}
	for _, m := range here {
		kind, id, _ := strings.Cut(m, " ")
		left[kind] = append(left[kind], id)
	}
	for _, m := range there {
		kind, id, _ := strings.Cut(m, " ")
		if len(left[kind]) == 0 {
			continue
		}
		into := n.ids
		if kind == "process" {
			into = n.processes
		}
		into[id] = left[kind][0]
		left[kind] = left[kind][1:]
	}
}

// shortestID is how many digits of an id are taken for one.
const shortestID = 4

// In translates the ids in a text, in full or shortened, and the numbers of processes.
func (n *Names) In(text string) string {
	if len(n.ids)+len(n.processes) == 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(r rune) bool { return !isAlnum(r) })
		if end < 0 {
			end = len(text)
		}
		b.WriteString(n.word(text[:end]))
		rest := strings.IndexFunc(text[end:], isAlnum)
		if rest < 0 {
			rest = len(text) - end
		}
		b.WriteString(text[end : end+rest])
		text = text[end+rest:]
	}
	return b.String()
}

func isAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// word translates a whole word. The beginning of an id counts if it is that of one only.
func (n *Names) word(w string) string {
	if here, ok := n.processes[w]; ok {
		return here
	}
	if len(w) < shortestID || len(w) > 64 || strings.Trim(w, "0123456789abcdef") != "" {
		return w
	}
	if here, ok := n.ids[w]; ok {
		return here
	}
	found := ""
	for there, here := range n.ids {
		if !strings.HasPrefix(there, w) || len(here) < len(w) {
			continue
		}
		if found != "" && found != here[:len(w)] {
			return w
		}
		found = here[:len(w)]
	}
	if found == "" {
		return w
	}
	return found
}
