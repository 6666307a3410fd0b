package quiz

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// cowTopic asks what a container's writable layer costs and holds.
type cowTopic struct{}

func (cowTopic) Topic() string { return "cow" }

func (cowTopic) Make(r *rand.Rand, difficulty int) Plan {
	all := []func(*rand.Rand, int) Plan{copiedBytes, writableHolds, nextContainer, copiedByTwo}
	return pick(r, all[:min(len(all), 2+difficulty)])(r, difficulty)
}

// act is something that a program does to a file, and whether it makes the kernel copy the file.
type act struct{ text, command string }

func acts() []act {
	return []act{
		{"appends a few bytes", "echo more >> %s"},
		{"reads it", "cat %s > /dev/null"},
		{"appends a few bytes, twice", "echo more >> %[1]s; echo more >> %[1]s"},
		{"makes it read-only", "chmod 400 %s"},
		{"overwrites its first byte", "printf x | dd of=%s bs=1 count=1 conv=notrunc 2>/dev/null"},
		{"looks at its size", "stat %s > /dev/null"},
	}
}

// big is a file of an image.
type big struct {
	name  string
	bytes int
}

func newBig(r *rand.Rand) big {
	return big{words(r, 1)[0], 1024 * (1 + r.IntN(60))}
}

func (b big) path() string { return "/" + b.name + ".bin" }

// line is the step that makes it.
func (b big) line() string {
	return fmt.Sprintf("RUN dd if=/dev/zero of=%s bs=1024 count=%d", b.path(), b.bytes/1024)
}

// copiedBytes asks how many bytes the kernel copies up.
func copiedBytes(r *rand.Rand, difficulty int) Plan {
	b, a, d := newBig(r), pick(r, acts()), &draft{}
	d.say("This Dockerfile is built as app. Its file has %d bytes.", b.bytes)
	d.dockerfile("app", "FROM learn/base", b.line())
	d.say("Then a container changes the file, or not:")
	d.run("run --name box app sh -c '%s'", fmt.Sprintf(a.command, b.path()))
	d.asks(numberIf(difficulty >= 3), "How many bytes of the file are copied to the container's writable layer?")
	whole, nothing := "M-READ-COPIES", "M-CONTAINER-EDITS-IMAGE"
	if strings.Contains(a.command, "chmod") {
		nothing = "M-COPY-META-FREE"
	}
	if strings.Contains(a.command, ">>") || strings.Contains(a.command, "dd ") {
		whole = "M-COW-DELTA"
	}
	d.choice(strconv.Itoa(b.bytes), whole)
	d.choice("0", nothing)
	d.choice(strconv.Itoa(2*b.bytes), "M-COW-EVERY-WRITE")
	d.choice("1", "M-COW-DELTA")
	d.choice("5", "M-COW-DELTA")
	d.choice("10", "M-COW-DELTA")
	return d.done(func(ran Ran) (Finding, error) {
		proof := lastly(vocab.CowCopyUp)(ran)
		if len(proof) == 0 {
			proof = lastly(vocab.ProcExec)(ran) // the program, and no copy after it
		}
		return one(strconv.FormatInt(ran.World.Container("box").CopiedBytes, 10), proof), nil
	})
}

// copiedByTwo asks for the sum over containers of one image.
func copiedByTwo(r *rand.Rand, difficulty int) Plan {
	b, d := newBig(r), &draft{}
	n := 2 + r.IntN(2)
	d.say("This Dockerfile is built as app. Its file has %d bytes.", b.bytes)
	d.dockerfile("app", "FROM learn/base", b.line())
	d.say("Then these containers are run:")
	for i := range n {
		d.run("run --name box%d app sh -c 'echo more >> %s'", i+1, b.path())
	}
	d.asks(numberIf(difficulty >= 4), "How many bytes of the file are copied to writable layers, of all containers together?")
	d.choice(strconv.Itoa(n*b.bytes), "M-COW-DELTA")
	d.choice(strconv.Itoa(b.bytes), "M-SHARED-WRITE")
	d.choice("0", "M-CONTAINER-EDITS-IMAGE")
	d.choice(strconv.Itoa(5*n), "M-COW-DELTA")
	return d.done(func(ran Ran) (Finding, error) {
		var sum int64
		for _, c := range ran.World.Containers {
			sum += c.CopiedBytes
		}
		return one(strconv.FormatInt(sum, 10), kinds(vocab.CowCopyUp)(ran)), nil
	})
}

// writableHolds asks what docker diff lists.
func writableHolds(r *rand.Rand, difficulty int) Plan {
	w, d := words(r, 5), &draft{}
	path := func(i int) string { return "/shop/" + w[i] + ".txt" }
	deeds := []struct{ command, line, belief string }{
		{"cat " + path(0), "C " + path(0), "M-READ-COPIES"},
		{"echo more >> " + path(1), "C " + path(1), "M-CONTAINER-EDITS-IMAGE"},
		{"rm " + path(2), "D " + path(2), "M-DELETE-IN-IMAGE"},
		{"echo new > " + path(3), "A " + path(3), "M-CONTAINER-EDITS-IMAGE"},
		{"touch /shop/tmp && rm /shop/tmp", "D /shop/tmp", "M-WHITEOUT-ALWAYS"},
	}
	lines := []string{"FROM learn/base", fmt.Sprintf("RUN mkdir /shop && cd /shop && for n in %s; do echo $n > $n.txt; done", strings.Join(w[:3], " "))}
	if difficulty < 3 {
		deeds = deeds[:4]
	}
	var commands []string
	r.Shuffle(len(deeds), func(i, j int) { deeds[i], deeds[j] = deeds[j], deeds[i] })
	for _, deed := range deeds {
		commands = append(commands, deed.command)
		d.choice(deed.line, deed.belief)
	}
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", lines...)
	d.say("Then:")
	d.run("run --name box app sh -c '%s'", strings.Join(commands, "; "))
	d.run("diff box")
	d.asks(ByMulti, "Which of these lines does docker diff print?")
	return d.done(func(ran Ran) (Finding, error) {
		f := Finding{Evidence: kinds(vocab.CowCopyUp, vocab.CowWhiteout)(ran)}
		for _, l := range strings.Split(strings.TrimSpace(ran.Out), "\n") {
			if l != "C /shop" {
				f.Answers = append(f.Answers, l)
			}
		}
		return f, nil
	})
}

// nextContainer asks what a later container of the image sees.
func nextContainer(r *rand.Rand, _ int) Plan {
	w, d := words(r, 4), &draft{}
	path := "/" + w[0] + ".txt"
	d.say("This Dockerfile is built as app:")
	d.dockerfile("app", "FROM learn/base", fmt.Sprintf("RUN echo %s > %s", w[1], path))
	d.say("Then:")
	deed, deletes := fmt.Sprintf("echo %s > %s", w[2], path), r.IntN(2) == 0
	if deletes {
		deed = "rm " + path
	}
	d.run("run --name %s app sh -c '%s'", w[3], deed)
	again := r.IntN(2) == 0
	if again {
		d.run("rm %s", w[3])
		d.tries("run --name %s app cat %s", w[3], path)
	} else {
		d.tries("run --rm app cat %s", path)
	}
	d.asks(ByChoice, "What does the last container print?")
	d.choice(w[1], "")
	const gone = "an error: there is no such file"
	switch {
	case deletes:
		d.choice(gone, "M-DELETE-IN-IMAGE")
	case again:
		d.choice(w[2], "M-NAME-IS-CONTAINER")
	default:
		d.choice(w[2], "M-SHARED-WRITE")
	}
	if !deletes {
		d.choice(w[1]+" "+w[2], "M-CONTENTS-JOINED")
	}
	return d.done(printed(gone, lastly(vocab.SnapshotPrepare)))
}
