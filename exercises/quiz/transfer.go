package quiz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace"
	"github.com/learn-containers/learn/trace/vocab"
)

// transferTopic asks what goes over the network, and what an archive keeps.
type transferTopic struct{}

func (transferTopic) Topic() string { return "transfer" }

func (transferTopic) Make(r *rand.Rand, difficulty int) Plan {
	all := []func(*rand.Rand, int) Plan{pushedLayers, pulledLayers, whatArchiveKeeps, loadedAgain}
	return pick(r, all)(r, difficulty)
}

// host is the name of the registry that the engine of a quiz has.
const host = "localhost:5000"

// pile is an image made of nothing but small files, one a layer.
type pile struct {
	lines []string
	files []File
}

func newPile(r *rand.Rand, names []string) pile {
	p := pile{lines: []string{"FROM scratch"}}
	for _, n := range names {
		p.files = append(p.files, File{n + ".txt", fmt.Sprintf("%s %d\n", n, r.IntN(1000))})
		p.lines = append(p.lines, "COPY "+n+".txt /")
	}
	return p
}

func (d *draft) pile(name string, p pile) {
	d.say("This Dockerfile is built as %s:", name)
	d.files = append(d.files, p.files...)
	d.dockerfile(name, p.lines...)
}

// pushedLayers asks how many layers a push sends.
func pushedLayers(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 8), &draft{}
	shared, more := 1+r.IntN(3), 1+r.IntN(2)
	first := newPile(r, w[:shared])
	repo := host + "/" + w[6]
	d.say("The registry at %s is empty.", host)
	d.pile(repo+":1", first)
	d.run("push %s:1", repo)
	asked, total := repo+":2", shared
	switch r.IntN(4) {
	case 0: // more layers on top
		second := newPile(r, w[:shared+more])
		second.files = second.files[shared:]
		d.pile(asked, second)
		total += more
	case 1: // another label
		first.files, first.lines = nil, append(first.lines, "LABEL taste="+w[7])
		d.pile(asked, first)
	case 2: // the same image
		d.run("tag %s:1 %s", repo, asked)
	case 3: // another repository of the same registry
		asked = host + "/" + w[7]
		d.run("tag %s:1 %s", repo, asked)
	}
	d.run("push %s", asked)
	d.asks(numberIf(difficulty >= 3), "How many layers does the last push send over the network?")
	d.choice(strconv.Itoa(total), "M-PUSH-WHOLE")
	d.choice(strconv.Itoa(total-shared), "M-LAYER-COPY")
	d.choice("0", "M-TAG-COPY")
	d.choice("1", "M-PUSH-DELTA")
	d.choice(strconv.Itoa(total+1), "M-PUSH-WHOLE")
	return d.done(func(ran Ran) (Finding, error) {
		sent, proof := 0, lastly(vocab.ImagePushLayer)(ran)
		for _, e := range proof {
			if e.Attr("how").Str() == "uploaded" {
				sent++
			}
		}
		return one(strconv.Itoa(sent), append(proof, lastly(vocab.ImagePush)(ran)...)), nil
	})
}

// pulledLayers asks how many layers a pull fetches.
func pulledLayers(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 8), &draft{}
	shared, more := 1+r.IntN(3), 1+r.IntN(2)
	repo := host + "/" + w[6]
	both := newPile(r, w[:shared+more])
	base := pile{both.lines[:1+shared], both.files[:shared]}
	d.pile(repo+":1", base)
	d.pile(repo+":2", pile{both.lines, both.files[shared:]})
	d.say("Both are pushed, and the build cache is emptied:")
	d.run("push %s:1", repo)
	d.run("push %s:2", repo)
	d.run("builder prune -af")
	d.run("rmi %s:1 %s:2", repo, repo)
	if r.IntN(2) == 0 {
		d.run("pull %s:1", repo)
	}
	d.run("pull %s:2", repo)
	d.asks(numberIf(difficulty >= 3), "How many layers does the last pull fetch?")
	d.choice(strconv.Itoa(shared+more), "M-PULL-WHOLE")
	d.choice(strconv.Itoa(more), "M-RMI-KEEPS-LAYERS")
	d.choice("0", "M-RMI-KEEPS-LAYERS")
	d.choice(strconv.Itoa(shared+more+1), "M-PULL-WHOLE")
	return d.done(func(ran Ran) (Finding, error) {
		fetched, proof := 0, lastly(vocab.BlobFetch)(ran)
		for _, e := range proof {
			if !e.Attr("existed").Bool() {
				fetched++
			}
		}
		return one(strconv.Itoa(fetched), append(proof, lastly(vocab.ImagePull)(ran)...)), nil
	})
}

// whatArchiveKeeps asks what an image has after it went through an archive.
func whatArchiveKeeps(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 6), &draft{}
	p := newPile(r, w[:1+(difficulty+1)/2])
	taste := fmt.Sprintf("LABEL taste=%s", w[5])
	p.lines = append(p.lines, taste)
	d.pile("app", p)
	d.say("Then:")
	after := "app"
	if r.IntN(2) == 0 {
		d.run("save -o app.tar app")
		d.run("rmi app")
		d.run("builder prune -af")
		d.run("load -i app.tar")
	} else {
		after = "flat"
		d.run("create --name box app x")
		d.run("export -o box.tar box")
		d.run("import box.tar flat")
	}
	layers := len(p.files)
	text := func(n int, label bool) string {
		return fmt.Sprintf("%s, and %s", count(n, "layer"), map[bool]string{true: "the label", false: "no label"}[label])
	}
	d.run("inspect %s", after)
	d.asks(ByChoice, "What does the image %s have now?", after)
	d.choice(text(layers, true), "M-EXPORT-IS-SAVE")
	d.choice(text(layers, false), "M-SAVE-FILES-ONLY")
	d.choice(text(1, true), "M-EXPORT-KEEPS-CONFIG")
	d.choice(text(1, false), "M-SAVE-FILES-ONLY")
	return d.done(func(ran Ran) (Finding, error) {
		img := ran.World.Image(after)
		label := strings.Contains(ran.Out, `"taste": "`+w[5]+`"`)
		made := kinds(vocab.ImageCreate)(ran)
		return one(text(len(img.Layers), label), made[len(made)-1:]), nil
	})
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// loadedAgain asks whether an image is the same one after a journey.
func loadedAgain(r *rand.Rand, _ int) Plan {
	w, d := words(r, 6), &draft{}
	p := newPile(r, w[:1+r.IntN(3)])
	repo := host + "/" + w[5]
	d.pile(repo, p)
	d.say("Then:")
	switch r.IntN(3) {
	case 0:
		d.run("save -o app.tar %s", repo)
		d.run("rmi %s", repo)
		d.run("load -i app.tar")
	case 1:
		d.run("push %s", repo)
		d.run("rmi %s", repo)
		d.run("pull %s", repo)
	case 2:
		d.run("create --name box %s x", repo)
		d.run("export -o box.tar box")
		d.run("import box.tar %s", repo)
	}
	const same, other = "the one that it had before", "another one"
	d.asks(ByChoice, "Which id does %s have now?", repo)
	d.choice(same, "M-EXPORT-IS-SAVE")
	d.choice(other, "M-LOAD-NEW-IMAGE")
	return d.done(func(ran Ran) (Finding, error) {
		proof := slices.DeleteFunc(kinds(vocab.ImageTag)(ran), func(e trace.Event) bool { return !strings.Contains(e.Attr("ref").Str(), w[5]) })
		if len(proof) < 2 {
			return Finding{}, fmt.Errorf("the name was given %d times; expected at least 2", len(proof))
		}
		if first, last := proof[0].Attr("image").Str(), proof[len(proof)-1].Attr("image").Str(); first != last {
			return one(other, proof), nil
		}
		return one(same, proof), nil
	})
}
