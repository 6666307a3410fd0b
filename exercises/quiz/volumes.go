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

// volumesTopic asks what survives a container, and what is seen where something is mounted.
type volumesTopic struct{}

func (volumesTopic) Topic() string { return "volumes" }

func (volumesTopic) Make(r *rand.Rand, difficulty int) Plan {
	all := []func(*rand.Rand, int) Plan{survives, whichVolumesStay, firstContent, diffOfVolume, bindIsShared}
	return pick(r, all[:min(len(all), 2+difficulty)])(r, difficulty)
}

const noFile = "an error: there is no such file"

// survives asks whether a later container finds what an earlier one wrote.
func survives(r *rand.Rand, _ int) Plan {
	w, d := words(r, 4), &draft{}
	name, text, volume := w[0], w[1], w[2]
	path := "/data/" + w[3]
	d.say("These commands are run, one after the other:")
	places := []struct{ option, belief, lost string }{
		{"-v " + volume + ":/data", "M-VOLUME-DIES", ""},
		{"-v /data", "", "M-ANONYMOUS-SHARED"},
		{"--tmpfs /data", "", "M-TMPFS-DISK"},
		{"-v ./" + volume + ":/data", "M-BIND-COPY", ""},
		{"-v " + volume + ":/other", "", "M-VOLUME-WHEREVER"},
	}
	p := pick(r, places)
	d.files = []File{{volume + "/here.txt", "x\n"}} // for the bind mount, whose folder the user has made
	write := fmt.Sprintf("sh -c 'mkdir -p /data && echo %s > %s'", text, path)
	d.run("run --name %s %s learn/base %s", name, p.option, write)
	switch r.IntN(3) {
	case 0:
		d.run("rm %s", name)
	case 1:
		d.run("rm -v %s", name)
	}
	d.tries("run --rm %s learn/base cat %s", p.option, path)
	d.asks(ByChoice, "What does the last command print?")
	d.choice(text, orElse(p.lost, "M-VOLUME-DIES"))
	d.choice(noFile, orElse(p.belief, "M-VOLUME-DIES"))
	return d.done(printed(noFile, func(ran Ran) []trace.Event {
		proof := append(kinds(vocab.VolumeRemove)(ran), lastly(vocab.VolumeMount)(ran)...)
		return append(append(proof, mountsAt(ran.Last, "/data")...), lastly(vocab.SnapshotPrepare)(ran)...)
	}))
}

func orElse(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// whichVolumesStay asks which volumes are there after their containers were removed.
func whichVolumesStay(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 4), &draft{}
	d.say("There is no volume yet. These commands are run, one after the other:")
	makes := 0
	for i := range 2 + difficulty/3 {
		options := []string{"-v " + w[i] + ":/data", "-v /data", "-v " + w[i] + ":/data -v /more"}
		o := pick(r, options)
		makes += strings.Count(o, "-v")
		if r.IntN(3) == 0 {
			d.run("run --rm %s learn/base true", o)
			continue
		}
		d.run("run --name box%d %s learn/base true", i+1, o)
		if rm := pick(r, []string{"rm", "rm -v", ""}); rm != "" {
			d.run("%s box%d", rm, i+1)
		}
	}
	named := strings.Count(strings.Join(d.parts, "\n"), ":/data")
	d.asks(numberIf(difficulty >= 4), "How many volumes are there now?")
	d.choice(strconv.Itoa(makes), "M-ANONYMOUS-STAY")
	d.choice(strconv.Itoa(named), "M-ANONYMOUS-DIE")
	for n := range makes {
		d.choice(strconv.Itoa(n), "M-VOLUME-DIES")
	}
	return d.done(func(ran Ran) (Finding, error) {
		proof := append(kinds(vocab.VolumeRemove)(ran), kinds(vocab.VolumeCreate)(ran)...)
		return one(strconv.Itoa(len(ran.World.Volumes)), proof), nil
	})
}

// firstContent asks what is seen where the image has files and something is mounted.
func firstContent(r *rand.Rand, _ int) Plan {
	w, d := words(r, 4), &draft{}
	image, own := w[0]+".txt", w[1]+".txt"
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", "FROM learn/base", "RUN mkdir /data && echo x > /data/"+image)
	kind := r.IntN(4)
	var none, both, only string
	d.say("Then:")
	switch kind {
	case 0: // an empty volume
		d.run("run --rm -v %s:/data app ls /data", w[2])
		none, only, both = "M-VOLUME-HIDES", "M-VOLUME-HIDES", ""
	case 1: // a volume with a file
		d.run("run --rm -v %s:/data learn/base touch /data/%s", w[2], own)
		d.run("run --rm -v %s:/data app ls /data", w[2])
		none, only, both = "M-VOLUME-HIDES", "M-VOLUME-REFILLS", "M-VOLUME-REFILLS"
	case 2: // a folder with a file
		d.files = []File{{w[2] + "/" + own, "x\n"}}
		d.say("The folder %s here has one file, %s.", w[2], own)
		d.run("run --rm -v ./%s:/data app ls /data", w[2])
		none, only, both = "M-BIND-COPY", "M-BIND-MERGES", "M-BIND-MERGES"
	case 3:
		d.run("run --rm --tmpfs /data app ls /data")
		none, only, both = "M-VOLUME-HIDES", "M-TMPFS-FILLED", ""
	}
	d.asks(ByChoice, "What does the last command list?")
	d.choice("nothing", none)
	d.choice(image, only)
	if both != "" {
		d.choice(own, none)
		both := []string{image, own}
		slices.Sort(both)
		d.choice(strings.Join(both, " "), only)
	}
	return d.done(func(ran Ran) (Finding, error) {
		said := strings.Join(strings.Fields(ran.Out), " ")
		proof := append(kinds(vocab.VolumeFill)(ran), lastly(vocab.VolumeMount)(ran)...)
		return one(orElse(said, "nothing"), append(proof, mountsAt(ran.Last, "/data")...)), nil
	})
}

// diffOfVolume asks what a commit keeps.
func diffOfVolume(r *rand.Rand, _ int) Plan {
	w, d := words(r, 5), &draft{}
	d.say("These commands are run, one after the other:")
	writes := []struct{ path, belief string }{{"/data/" + w[0], "M-COMMIT-VOLUME"}, {"/keep/" + w[1], "M-STOP-LOSES-FILES"}, {"/scratch/" + w[2], "M-TMPFS-DISK"}}
	r.Shuffle(len(writes), func(i, j int) { writes[i], writes[j] = writes[j], writes[i] })
	var touch []string
	for _, x := range writes {
		touch = append(touch, x.path)
		d.choice(x.path, x.belief)
	}
	d.run("run --name box -v %s:/data --tmpfs /scratch learn/base sh -c 'mkdir /keep; touch %s'", w[3], strings.Join(touch, " "))
	d.run("commit box kept")
	d.run("run --rm kept sh -c 'mkdir -p /data /scratch; find /data /keep /scratch -type f'")
	d.asks(ByMulti, "Which files does the last command find?")
	return d.done(func(ran Ran) (Finding, error) {
		return Finding{strings.Fields(ran.Out), kinds(vocab.LayerCommit, vocab.VolumeWrite)(ran)}, nil
	})
}

// bindIsShared asks what a container sees of a later change of the host's files.
func bindIsShared(r *rand.Rand, _ int) Plan {
	w, d := words(r, 4), &draft{}
	path := w[0] + "/" + w[1] + ".txt"
	d.say("The file %s has the text %s.", path, w[2])
	d.files = []File{{path, w[2] + "\n"}}
	d.run("run -d --name box -v ./%s:/data learn/base sleep 1000", w[0])
	d.say("Then the file on the host gets the text %s, and:", w[3])
	d.files = []File{{path, w[3] + "\n"}}
	d.run("exec box cat /data/%s.txt", w[1])
	d.asks(ByChoice, "What does the last command print?")
	d.choice(w[3], "M-BIND-COPY")
	d.choice(w[2], "M-BIND-COPY")
	d.choice(w[2]+" "+w[3], "M-BIND-MERGES")
	return d.done(printed(noFile, func(ran Ran) []trace.Event { return mountsAt(ran.Events, "/data") }))
}

// mountsAt picks what was mounted at a place.
func mountsAt(events []trace.Event, target string) []trace.Event {
	return slices.DeleteFunc(someOf(events, vocab.MountDo), func(e trace.Event) bool { return e.Attr("target").Str() != target })
}
