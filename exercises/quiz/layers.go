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

// layersTopic asks how many layers there are, and what deleting does.
type layersTopic struct{}

func (layersTopic) Topic() string { return "layers" }

func (layersTopic) Make(r *rand.Rand, difficulty int) Plan {
	kinds := []func(*rand.Rand, int) Plan{countLayers, deletedBytes, whichLayerWins, whatIsVisible, lookUpOrder}
	return pick(r, kinds)(r, difficulty)
}

// countLayers asks how many layers a build adds, of steps that change files and steps that don't.
func countLayers(r *rand.Rand, difficulty int) Plan {
	lines := []string{"FROM learn/base"}
	for i, w := range words(r, 2+difficulty) {
		kinds := []string{"RUN echo " + w + " > /" + w + ".txt", "ENV " + strings.ToUpper(w) + "=" + w, "LABEL " + w + "=1"}
		lines = append(lines, kinds[r.IntN(len(kinds))*min(i, 1)]) // the first one always adds a layer
	}
	lines = append(lines, `CMD ["true"]`)
	p := Plan{
		Steps:  []Step{{Files: []File{dockerfile(lines)}, Argv: build("app")}},
		Prompt: "This Dockerfile is built:\n\n" + numbered(lines) + "\nlearn/base has one layer. How many layers does the image have, with that one?",
		Kind:   numberIf(difficulty >= 3),
	}
	runs := 0
	for _, l := range lines {
		if strings.HasPrefix(l, "RUN") {
			runs++
		}
	}
	for _, n := range []int{1 + runs, len(lines), len(lines) - 1} {
		p.Choices = append(p.Choices, Choice{strconv.Itoa(n), "M-LAYER-PER-INSTRUCTION"})
	}
	p.Key = func(ran Ran) (Finding, error) {
		img := ran.World.Image("app")
		if !img.Exists {
			return Finding{}, fmt.Errorf("the trace has no image app")
		}
		return one(strconv.Itoa(len(img.Layers)), ofKind(ran.Last, vocab.LayerCommit, trace.End)), nil
	}
	return p
}

// deletedBytes asks what rm in a later step does to the size of an image.
func deletedBytes(r *rand.Rand, difficulty int) Plan {
	w, kib := words(r, 1)[0], 64*(1+r.IntN(16))
	lines := []string{"FROM learn/base", fmt.Sprintf("RUN dd if=/dev/zero of=/%s.bin bs=1024 count=%d", w, kib)}
	for i := 1; i < difficulty; i++ {
		lines = append(lines, fmt.Sprintf("RUN echo %d > /mark%d.txt", r.IntN(100), i))
	}
	after := append(slices.Clone(lines), fmt.Sprintf("RUN rm /%s.bin", w))
	return Plan{
		Steps: []Step{
			{Files: []File{dockerfile(lines)}, Argv: build("first")},
			{Files: []File{dockerfile(after)}, Argv: build("second")},
		},
		Prompt: fmt.Sprintf("The image first is built of this Dockerfile:\n\n%s\nFor the image second, a line is added at its end:\n\n    %d  %s\n\nWhat are the sizes of all layers of the image second together?", numbered(lines), len(after), after[len(after)-1]),
		Choices: []Choice{
			{fmt.Sprintf("smaller than those of first, by about %d KiB", kib), "M-DELETE-SHRINKS"},
			{"not smaller than those of first", "M-DELETE-SHRINKS"},
			{"at least twice those of first", "M-LAYER-SNAPSHOT"},
		},
		Key: func(ran Ran) (Finding, error) {
			a, b := ran.World.Image("first"), ran.World.Image("second")
			f := Finding{Evidence: ofKind(ran.Last, vocab.LayerCommit, trace.End)}
			switch {
			case !a.Exists || !b.Exists || a.Size == 0:
				return f, fmt.Errorf("the trace lacks one of the images")
			case b.Size >= 2*a.Size:
				f.Answers = []string{"at least twice those of first"}
			case b.Size >= a.Size:
				f.Answers = []string{"not smaller than those of first"}
			default:
				f.Answers = []string{fmt.Sprintf("smaller than those of first, by about %d KiB", (a.Size-b.Size)>>10)}
			}
			return f, nil
		},
	}
}

func ofKind(events []trace.Event, kind string, phase trace.Phase) []trace.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e trace.Event) bool { return e.Kind != kind || e.Phase != phase })
}
