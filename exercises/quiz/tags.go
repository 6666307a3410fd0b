package quiz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
	"github.com/learn-containers/learn/trace/world"
)

// tagsTopic asks what names mean, and what becomes of images when names move and go.
type tagsTopic struct{}

func (tagsTopic) Topic() string { return "tags" }

func (tagsTopic) Make(r *rand.Rand, difficulty int) Plan {
	return pick(r, []func(*rand.Rand, int) Plan{whatTagMeans, whatRmiDeletes, howManyImages, whichDigests})(r, difficulty)
}

// shuffle is a random sequence of builds and tags.
type shuffle struct {
	draft
	repo   string
	colors []string          // of the images, in the order in which they were built
	moved  map[string]string // name -> name that it was made from, where it was made by docker tag
	first  map[string]string // name -> color that it meant first
	names  []string          // in use, in the order of their first use
}

func newShuffle(r *rand.Rand, difficulty int) *shuffle {
	s := &shuffle{repo: words(r, 1)[0], moved: map[string]string{}, first: map[string]string{}}
	colors := []string{"red", "green", "blue", "white", "black"}
	r.Shuffle(len(colors), func(i, j int) { colors[i], colors[j] = colors[j], colors[i] })
	s.say("Each build is made of another Dockerfile. How the images differ is said by their label.")
	for i := range 2 + difficulty/4 {
		tag := pick(r, []string{":1", ":2", ""})
		if i == 0 {
			tag = ":1"
		}
		s.builds(s.repo+tag, colors[i])
		if r.IntN(2) == 0 || i == 0 {
			s.tags(r)
		}
	}
	for range difficulty {
		s.tags(r)
	}
	return s
}

func (s *shuffle) builds(name, color string) {
	s.files = []File{dockerfile([]string{"FROM scratch", "LABEL color=" + color})}
	s.show(fmt.Sprintf("docker build -t %s .        # color=%s", name, color))
	s.step(build(name)...)
	s.colors = append(s.colors, color)
	s.use(name, color, "")
}

// tags gives an image another name, or moves one.
func (s *shuffle) tags(r *rand.Rand) {
	from := pick(r, s.names)
	to := pick(r, []string{s.repo, s.repo + ":2", s.repo + ":test", s.repo + ":prod"})
	if from == to {
		return
	}
	s.run("tag %s %s", from, to)
	s.use(to, s.first[from], from)
}

func (s *shuffle) use(name, color, from string) {
	if _, known := s.first[name]; !known {
		s.first[name] = color
		s.names = append(s.names, name)
	}
	s.moved[name] = from
}

// colorOf is the label of the image that a name means.
func (s *shuffle) colorOf(ran Ran, image string) string {
	for i, e := range built(ran) {
		if i < len(s.colors) && e.Attr("image").Str() == image {
			return s.colors[i]
		}
	}
	return "no image"
}

// whatTagMeans asks which image a name means at the end.
func whatTagMeans(r *rand.Rand, difficulty int) Plan {
	s := newShuffle(r, difficulty)
	name := pick(r, s.names)
	s.asks(ByChoice, "Which image does the name %s mean now?", name)
	s.choice(s.first[name], "M-TAG-FIXED")
	last, other := s.colors[len(s.colors)-1], "M-TAG-LINKS"
	if name == s.repo {
		other = "M-LATEST-NEWEST"
	}
	s.choice(last, other)
	for _, c := range s.colors {
		s.choice(c, "M-TAG-LINKS")
	}
	s.choice("no image", "M-TAG-COPY")
	return s.done(func(ran Ran) (Finding, error) {
		full := world.FullName(name)
		proof := slices.DeleteFunc(someOf(ran.Events, vocab.ImageTag), func(e trace.Event) bool { return e.Attr("ref").Str() != full })
		slices.Reverse(proof)
		return one(s.colorOf(ran, ran.World.Refs[full]), proof), nil
	})
}

// howManyImages counts the images that are there at the end.
func howManyImages(r *rand.Rand, difficulty int) Plan {
	s := newShuffle(r, difficulty)
	s.asks(numberIf(difficulty >= 3), "How many images are there now, with names or without? Those that were there before don't count.")
	s.choice(strconv.Itoa(len(s.colors)), "M-TAG-MOVE-DELETES")
	s.choice(strconv.Itoa(len(s.names)), "M-TAG-COPY")
	s.choice(strconv.Itoa(len(s.colors)-1), "M-TAG-MOVE-DELETES")
	s.choice(strconv.Itoa(len(s.colors)+len(s.names)), "M-TAG-COPY")
	return s.done(func(ran Ran) (Finding, error) {
		n := 0
		for _, img := range ran.World.Images {
			if img.Origin == "build" {
				n++
			}
		}
		return one(strconv.Itoa(n), built(ran)), nil
	})
}

// whatRmiDeletes asks what docker rmi takes away.
func whatRmiDeletes(r *rand.Rand, difficulty int) Plan {
	s := newShuffle(r, difficulty)
	name := pick(r, s.names)
	used := difficulty >= 2 && r.IntN(3) == 0
	if used {
		s.run("create --name %s-box %s x", s.repo, name)
	}
	s.tries("rmi %s", name)
	s.asks(ByChoice, "What does the last command take away?")
	const (
		nameOnly = "the name alone"
		all      = "the name and the image"
		nothing  = "nothing: it refuses"
		names    = "all names of the image, and the image"
	)
	s.choice(nameOnly, "M-RMI-NAME-ONLY")
	s.choice(all, "M-RMI-ALL-NAMES")
	s.choice(names, "M-RMI-ALL-NAMES")
	s.choice(nothing, "M-RMI-REFUSES")
	if used {
		s.choice("the container, the name and the image", "M-RMI-REMOVES-CONTAINERS")
	}
	return s.done(func(ran Ran) (Finding, error) {
		untagged, removed := lastly(vocab.ImageUntag)(ran), lastly(vocab.ImageRemove, vocab.ContainerRemove)(ran)
		switch {
		case len(removed) > 0 && len(untagged) > 1:
			return one(names, append(untagged, removed...)), nil
		case len(removed) > 0:
			return one(all, append(untagged, removed...)), nil
		case len(untagged) > 0:
			return one(nameOnly, untagged), nil
		}
		return one(nothing, lastly(vocab.Command)(ran)), nil
	})
}

// whichDigests asks which of an image's digests another build changes.
func whichDigests(r *rand.Rand, _ int) Plan {
	w, d := words(r, 4), &draft{}
	lines := []string{"FROM scratch", fmt.Sprintf("COPY %s.txt /%s.txt", w[0], w[0]), "LABEL taste=" + w[1]}
	content := func(text string) File { return File{w[0] + ".txt", text + "\n"} }
	d.files = []File{content(w[2])}
	d.say("This Dockerfile is built as first:")
	d.dockerfile("first", lines...)
	changed := slices.Clone(lines)
	var says string
	if label := r.IntN(2) == 0; label {
		changed[2] = "LABEL taste=" + w[3]
		says = fmt.Sprintf("Then the label is changed to taste=%s, and the Dockerfile is built as second.", w[3])
	} else {
		d.files = []File{content(w[3])}
		says = fmt.Sprintf("Then %s.txt gets another content, and the Dockerfile is built as second.", w[0])
	}
	d.say("%s", says)
	d.image("second", changed...)
	d.asks(ByMulti, "What is another one in second than in first?")
	d.choice("the digest of the layer", "M-LAYER-EDIT")
	d.choice("the image's id", "M-ID-FROM-FILES")
	d.choice("the digest of the manifest", "M-ONE-DIGEST")
	d.choice("the digest of an empty layer for LABEL", "M-LAYER-PER-INSTRUCTION")
	return d.done(func(ran Ran) (Finding, error) { return differing(ran) })
}

// differing compares the images first and second.
func differing(ran Ran) (Finding, error) {
	a, b := ran.World.Image("first"), ran.World.Image("second")
	f := Finding{Evidence: built(ran)}
	if len(a.Layers) != 1 || len(b.Layers) != 1 {
		return f, fmt.Errorf("the images have %d and %d layers; expected 1 each", len(a.Layers), len(b.Layers))
	}
	for _, part := range []struct{ name, a, b string }{
		{"the digest of the layer", a.Layers[0].DiffID, b.Layers[0].DiffID}, {"the image's id", a.ID, b.ID}, {"the digest of the manifest", a.Manifest, b.Manifest},
	} {
		if part.a != part.b {
			f.Answers = append(f.Answers, part.name)
		}
	}
	return f, nil
}

// built picks the events of images that came from a build.
func built(ran Ran) []trace.Event {
	return slices.DeleteFunc(kinds(vocab.ImageCreate)(ran), func(e trace.Event) bool { return e.Attr("origin").Str() != "build" })
}
