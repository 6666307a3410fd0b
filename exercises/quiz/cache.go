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

// cacheTopic asks which steps of a build are carried out again after an edit.
type cacheTopic struct{}

func (cacheTopic) Topic() string { return "cache" }

// recipe is a random Dockerfile: pairs of a COPY and a RUN that reads what was copied, or not.
type recipe struct {
	names []string
	lines []string
	files []File
}

func (cacheTopic) Make(r *rand.Rand, difficulty int) Plan {
	rec := newRecipe(r, 1+(difficulty+1)/2)
	edit := pick(r, []func(*rand.Rand, recipe) cacheEdit{editFile, editRun, touchFile, addComment, swapLines}[:min(5, 2+difficulty)])(r, rec)
	p := Plan{
		Steps: []Step{
			{Files: append(slices.Clone(rec.files), dockerfile(rec.lines)), Argv: build("app")},
			{Files: edit.files, Touch: edit.touch, Argv: build("app")},
		},
		Prompt: "This Dockerfile was built once:\n\n" + numbered(rec.lines) + "\n" + edit.says + "\n\n",
		Kind:   numberIf(difficulty >= 4 && r.IntN(2) == 0),
	}
	p.Prompt += map[bool]string{false: "Which steps does the next docker build carry out again?", true: "How many steps does the next docker build carry out again?"}[p.Kind == ByNumber]
	for _, c := range edit.choices {
		p.Choices = append(p.Choices, Choice{stepsText(c.steps, p.Kind == ByNumber), c.belief})
	}
	p.Key = func(ran Ran) (Finding, error) { return rerun(ran, p.Kind == ByNumber) }
	return p
}

func build(name string) []string { return []string{"docker", "build", "-t", name, "."} }

func newRecipe(r *rand.Rand, pairs int) recipe {
	rec := recipe{names: words(r, pairs), lines: []string{"FROM learn/base"}}
	for _, n := range rec.names {
		rec.files = append(rec.files, File{n + ".txt", fmt.Sprintf("%s %d\n", n, r.IntN(1000))})
		rec.lines = append(rec.lines, fmt.Sprintf("COPY %s.txt /app/%s.txt", n, n))
		if r.IntN(2) == 0 {
			rec.lines = append(rec.lines, fmt.Sprintf("RUN wc -c /app/%s.txt > /app/%s.size", n, n))
		} else {
			rec.lines = append(rec.lines, fmt.Sprintf("RUN echo %d > /app/%s.mark", r.IntN(1000), n))
		}
	}
	return rec
}

// cacheEdit is a change between two builds, and what people think of it.
type cacheEdit struct {
	says    string
	files   []File
	touch   []string
	choices []cacheChoice
}

type cacheChoice struct {
	steps  []int
	belief string
}

// from lists the numbers of the steps from n on; step 1 is FROM, which is never carried out.
func (rec recipe) from(n int) []int {
	var out []int
	for i := max(n, 2); i <= len(rec.lines); i++ {
		out = append(out, i)
	}
	return out
}

// reading are step n and the steps that name the file.
func (rec recipe) reading(n int, file string) []int {
	var out []int
	for i, l := range rec.lines {
		if i+1 == n || strings.Contains(l, file) {
			out = append(out, i+1)
		}
	}
	return out
}

func editFile(r *rand.Rand, rec recipe) cacheEdit {
	i := r.IntN(len(rec.files))
	f, at := rec.files[i], 2+2*i
	return cacheEdit{
		says:  fmt.Sprintf("Then another line was added to %s.", f.Path),
		files: []File{{f.Path, f.Text + "one more line\n"}},
		choices: []cacheChoice{
			{rec.from(at), "M-CACHE-WHOLE"}, {[]int{at}, "M-CACHE-SKIPS"}, {rec.reading(at, "/app/"+f.Path), "M-CACHE-RUN-LOOKS"}, {rec.from(2), "M-CACHE-WHOLE"},
		},
	}
}

func editRun(r *rand.Rand, rec recipe) cacheEdit {
	at := 3 + 2*r.IntN(len(rec.files)) // RUN lines have odd numbers
	lines := slices.Clone(rec.lines)
	lines[at-1] = fmt.Sprintf("RUN echo changed-%d > /app/%s.mark", r.IntN(1000), rec.names[(at-3)/2])
	return cacheEdit{
		says:  fmt.Sprintf("Then line %d was changed to\n\n    %d  %s", at, at, lines[at-1]),
		files: []File{dockerfile(lines)},
		choices: []cacheChoice{
			{rec.from(at), "M-CACHE-WHOLE"}, {[]int{at}, "M-CACHE-SKIPS"}, {rec.from(2), "M-CACHE-WHOLE"},
		},
	}
}

func touchFile(r *rand.Rand, rec recipe) cacheEdit {
	i := r.IntN(len(rec.files))
	at := 2 + 2*i
	return cacheEdit{
		says:    fmt.Sprintf("Then touch gave %s a newer time. Its content is the same as before.", rec.files[i].Path),
		touch:   []string{rec.files[i].Path},
		choices: []cacheChoice{{nil, ""}, {rec.from(at), "M-CACHE-TIME"}, {[]int{at}, "M-CACHE-TIME"}, {rec.from(2), "M-CACHE-TIME"}},
	}
}

func addComment(r *rand.Rand, rec recipe) cacheEdit {
	at := 2 + r.IntN(len(rec.lines)-1)
	lines := slices.Insert(slices.Clone(rec.lines), at-1, "# what comes next is important")
	return cacheEdit{
		says:    fmt.Sprintf("Then a comment was written on a line of its own above line %d.", at),
		files:   []File{dockerfile(lines)},
		choices: []cacheChoice{{nil, ""}, {rec.from(at), "M-CACHE-COMMENT"}, {rec.from(2), "M-CACHE-WHOLE"}},
	}
}

func swapLines(r *rand.Rand, rec recipe) cacheEdit {
	at := 2 + 2*r.IntN(len(rec.files)-1) // two COPY and RUN pairs change places, so that each RUN finds its file
	lines := slices.Clone(rec.lines)
	lines[at-1], lines[at], lines[at+1], lines[at+2] = lines[at+1], lines[at+2], lines[at-1], lines[at]
	return cacheEdit{
		says:    fmt.Sprintf("Then the lines changed places. The new order is\n\n%s", strings.TrimRight(numbered(lines), "\n")),
		files:   []File{dockerfile(lines)},
		choices: []cacheChoice{{rec.from(at), "M-CACHE-WHOLE"}, {nil, "M-CACHE-ORDER"}, {[]int{at, at + 1, at + 2, at + 3}, "M-CACHE-SKIPS"}, {rec.from(2), "M-CACHE-WHOLE"}},
	}
}

func stepsText(steps []int, number bool) string {
	if number {
		return strconv.Itoa(len(steps))
	}
	var s []string
	for _, n := range steps {
		s = append(s, strconv.Itoa(n))
	}
	switch len(s) {
	case 0:
		return "none"
	case 1:
		return "step " + s[0]
	}
	return "steps " + strings.Join(s[:len(s)-1], ", ") + " and " + s[len(s)-1]
}

// rerun reads which steps of the last build missed the cache. The first miss proves it or, without one, the last hit.
func rerun(ran Ran, number bool) (Finding, error) {
	step := map[uint64]int{}
	var steps []int
	var hit, miss []trace.Event
	for _, e := range ran.Last {
		switch {
		case e.Kind == vocab.BuildStep && e.Phase == trace.Begin:
			step[e.Span] = int(e.Attr("step").Int())
		case e.Kind == vocab.CacheHit:
			hit = append(hit, e)
		case e.Kind == vocab.CacheMiss:
			miss = append(miss, e)
			steps = append(steps, step[e.Span])
		}
	}
	slices.Sort(steps)
	evidence := miss
	if len(miss) == 0 {
		evidence = hit
	}
	return one(stepsText(steps, number), evidence), nil
}
