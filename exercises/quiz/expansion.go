package quiz

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// expansionTopic asks what becomes of variables in a Dockerfile, and who fills them in.
type expansionTopic struct{}

func (expansionTopic) Topic() string { return "expansion" }

func (expansionTopic) Make(r *rand.Rand, difficulty int) Plan {
	all := riddles(r)
	e := pick(r, all[:min(len(all), 4+2*difficulty)])
	d := &draft{}
	d.say("This Dockerfile is built, and a container is run:")
	d.parts = append(d.parts, "    "+strings.Join(e.lines, "\n    "))
	d.files = []File{dockerfile(e.lines)}
	d.run("build -t app %s.", e.build)
	d.run("run --rm %sapp%s", e.options, e.args)
	d.asks(ByChoice, "What does the container print?")
	for _, c := range e.choices {
		d.choice(c.Text, c.Belief)
	}
	return d.done(printed("an error", kinds(vocab.ProcExec)))
}

// riddle is a Dockerfile, how it is built and run, and what people think that the container prints.
type riddle struct {
	lines   []string
	build   string // options of docker build, with a space behind them
	options string // of docker run
	args    string // what comes behind the image's name, with a space before it
	choices []Choice
}

// riddles are for beginners first. The brackets show that something is empty.
func riddles(r *rand.Rand) []riddle {
	w := words(r, 4)
	a, b, c := w[0], w[1], w[2]
	v := fmt.Sprintf("V%d", 1+r.IntN(9))
	from := func(lines ...string) []string { return append([]string{"FROM learn/base"}, lines...) }
	writes := func(text string) string { return fmt.Sprintf(`RUN echo "[%s]" > /note`, text) }
	const note, cat = "[%s]", " cat /note"
	in := func(s string) string { return fmt.Sprintf(note, s) }
	return []riddle{
		{lines: from("ENV "+v+"="+a, writes("${"+v+":-"+b+"}")), args: cat, choices: []Choice{{in(a), ""}, {in(b), "M-DEFAULT-ALWAYS"}, {in(a + b), "M-DEFAULT-ALWAYS"}, {in("${" + v + ":-" + b + "}"), "M-RUN-LITERAL"}}},
		{lines: from(writes("${" + v + ":-" + b + "}")), args: cat, choices: []Choice{{in(b), ""}, {in(""), "M-DEFAULT-NEEDS-ENV"}, {in(v), "M-DEFAULT-NEEDS-ENV"}, {in("${" + v + ":-" + b + "}"), "M-RUN-LITERAL"}}},
		{lines: from("ENV "+v+"="+a, `CMD ["echo", "[$`+v+`]"]`), choices: []Choice{{in("$" + v), ""}, {in(a), "M-EXEC-EXPANDS"}, {in(""), "M-ARG-IN-CONTAINER"}}},
		{lines: from("ENV "+v+"="+a, "CMD echo [$"+v+"]"), options: "-e " + v + "=" + b + " ", choices: []Choice{{in(b), ""}, {in(a), "M-ENV-AT-BUILD"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: from("ARG "+v+"="+a, writes("$"+v)), build: "--build-arg " + v + "=" + b + " ", args: cat, choices: []Choice{{in(b), ""}, {in(a), "M-ARG-FIXED"}, {in(""), "M-ARG-NOT-IN-RUN"}}},
		{lines: from("ARG "+v+"="+a, "CMD echo [$"+v+"]"), choices: []Choice{{in(""), ""}, {in(a), "M-ARG-IN-CONTAINER"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: from("ARG "+v+"="+a, "ENV "+v+"="+b, writes("$"+v)), build: "--build-arg " + v + "=" + c + " ", args: cat, choices: []Choice{{in(b), ""}, {in(c), "M-BUILD-ARG-WINS"}, {in(a), "M-ARG-FIXED"}}},
		{lines: append([]string{"ARG " + v + "=" + a}, from(writes("$"+v))...), args: cat, choices: []Choice{{in(""), ""}, {in(a), "M-ARG-SCOPE"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: append([]string{"ARG " + v + "=" + a}, from("ARG "+v, writes("$"+v))...), args: cat, choices: []Choice{{in(a), ""}, {in(""), "M-ARG-AGAIN-EMPTIES"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: from("ENV "+v+"="+a, "ENV "+v+"="+b+" W=$"+v, "CMD echo [$W]"), choices: []Choice{{in(a), ""}, {in(b), "M-ENV-SAME-LINE"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: from("RUN export "+v+"="+a, writes("$"+v)), args: cat, choices: []Choice{{in(""), ""}, {in(a), "M-EXPORT-PERSISTS"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: append([]string{"FROM learn/base AS one", "ENV " + v + "=" + a, "RUN echo " + b + " > /" + b}, from("COPY --from=one /"+b+" /"+b, writes("$"+v))...), args: cat, choices: []Choice{{in(""), ""}, {in(a), "M-STAGE-ENV"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: append([]string{"FROM learn/base AS one", "ENV " + v + "=" + a, "FROM one"}, writes("$"+v)), args: cat, choices: []Choice{{in(a), ""}, {in(""), "M-STAGE-FORGETS"}, {in("$" + v), "M-RUN-LITERAL"}}},
		{lines: from("ENV "+v+"="+a, `RUN echo '[$`+v+`]' > /note`), args: cat, choices: []Choice{{in("$" + v), ""}, {in(a), "M-DOCKER-EXPANDS-RUN"}, {in(""), "M-ARG-IN-CONTAINER"}}},
		{lines: from("ENV "+v+"="+a, writes("${"+v+":+"+b+"}")), args: cat, choices: []Choice{{in(b), ""}, {in(a), "M-PLUS-IS-DEFAULT"}, {in(""), "M-DEFAULT-NEEDS-ENV"}, {in(a + b), "M-DEFAULT-ALWAYS"}}},
		{lines: from("ENV "+v+"= W=${"+v+":-"+b+"}", "CMD echo [$W]"), choices: []Choice{{in(b), ""}, {in(""), "M-DEFAULT-NEEDS-ENV"}, {in("${" + v + ":-" + b + "}"), "M-RUN-LITERAL"}}},
	}
}
