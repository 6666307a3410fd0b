package quiz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/learn-containers/learn/trace/vocab"
)

// dockerignoreTopic asks which files a .dockerignore lets through.
type dockerignoreTopic struct{}

func (dockerignoreTopic) Topic() string { return "dockerignore" }

func (dockerignoreTopic) Make(r *rand.Rand, difficulty int) Plan {
	if difficulty >= 2 && r.IntN(5) == 0 {
		return copyOfIgnored(r)
	}
	return whatIsCopied(r, difficulty)
}

// rule is some lines of a .dockerignore, and files that show what people get wrong about them. The lines of one rule match no file of another.
type rule struct {
	lines []string
	files []Choice // path, belief
}

// rules are for beginners first. Each has extensions or folders of its own.
func rules(r *rand.Rand) []rule {
	w := words(r, 6)
	file := func(i int, ext string) string { return w[i] + ext }
	return []rule{
		{[]string{file(0, ".txt")}, []Choice{{file(0, ".txt"), "M-IGNORE-INVERTED"}, {file(1, ".txt"), "M-IGNORE-INVERTED"}, {w[2] + "/" + file(0, ".txt"), "M-IGNORE-DEEP"}}},
		{[]string{"*.log"}, []Choice{{file(0, ".log"), "M-IGNORE-INVERTED"}, {w[2] + "/" + file(1, ".log"), "M-IGNORE-DEEP"}}},
		{[]string{w[3]}, []Choice{{w[3] + "/" + file(0, ".bin"), "M-IGNORE-FOLDER-STAYS"}, {w[2] + "/" + w[3] + "/" + file(1, ".bin"), "M-IGNORE-DEEP"}}},
		{[]string{"*.md", "!README.md"}, []Choice{{"README.md", "M-IGNORE-NO-EXCEPTION"}, {file(0, ".md"), "M-IGNORE-INVERTED"}, {w[2] + "/" + file(1, ".md"), "M-IGNORE-DEEP"}}},
		{[]string{"!" + file(0, ".cfg"), "*.cfg"}, []Choice{{file(0, ".cfg"), "M-IGNORE-ORDER"}, {file(1, ".cfg"), "M-IGNORE-INVERTED"}}},
		{[]string{"**/*.tmp"}, []Choice{{file(0, ".tmp"), "M-IGNORE-STARS-DEEPER"}, {w[2] + "/" + file(1, ".tmp"), "M-IGNORE-STARS-ONE"}, {w[2] + "/" + w[4] + "/" + file(1, ".tmp"), "M-IGNORE-STARS-ONE"}}},
		{[]string{"*/*.dat"}, []Choice{{file(0, ".dat"), "M-IGNORE-STAR-NOTHING"}, {w[2] + "/" + file(1, ".dat"), "M-IGNORE-INVERTED"}, {w[2] + "/" + w[4] + "/" + file(1, ".dat"), "M-IGNORE-DEEP"}}},
		{[]string{w[5] + "/", "!" + w[5] + "/" + file(0, ".csv")}, []Choice{{w[5] + "/" + file(0, ".csv"), "M-IGNORE-FOLDER-CLOSED"}, {w[5] + "/" + file(1, ".csv"), "M-IGNORE-INVERTED"}}},
		{[]string{"**/cache/*.map", "!**/cache/" + file(0, ".map")}, []Choice{{"cache/" + file(0, ".map"), "M-IGNORE-NO-EXCEPTION"}, {w[2] + "/cache/" + file(1, ".map"), "M-IGNORE-STARS-ONE"}, {"cache/" + file(1, ".map"), "M-IGNORE-STARS-DEEPER"}}},
		{[]string{"/" + file(0, ".ini"), "?.ini"}, []Choice{{file(0, ".ini"), "M-IGNORE-ROOT"}, {"a.ini", "M-IGNORE-INVERTED"}, {"ab.ini", "M-IGNORE-QUESTION"}}},
		{[]string{"# .env"}, []Choice{{".env", "M-DOT-FILES-LEFT"}}},
	}
}

// whatIsCopied asks which files COPY . brings into the image.
func whatIsCopied(r *rand.Rand, difficulty int) Plan {
	all := rules(r)
	all = all[:min(len(all), 3+2*difficulty)]
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	d, ignore := &draft{}, []string{}
	seen := map[string]bool{}
	for _, rule := range all[:1+(difficulty+1)/2] {
		ignore = append(ignore, rule.lines...)
		for _, f := range rule.files {
			if !seen[f.Text] {
				d.choice(f.Text, f.Belief)
			}
			seen[f.Text] = true
		}
	}
	d.choice("app.py", "M-IGNORE-INVERTED") // no rule matches it
	var listing []string
	for _, c := range d.plan.Choices {
		d.files = append(d.files, File{c.Text, c.Text + "\n"})
		listing = append(listing, c.Text)
	}
	slices.Sort(listing)
	d.say("A folder has these files:")
	d.parts = append(d.parts, "    "+strings.Join(listing, "\n    "))
	d.say("Its .dockerignore is:")
	d.file(".dockerignore", ignore...)
	d.say("This Dockerfile is built there:")
	d.dockerfile("app", "FROM learn/base", "COPY . /app/")
	d.step("docker", "run", "--rm", "app", "find", "/app", "-type", "f")
	d.asks(ByMulti, "Which of the files are in the image?")
	return d.done(func(ran Ran) (Finding, error) {
		f := Finding{Evidence: kinds(vocab.BuildContext)(ran)}
		for _, path := range strings.Fields(ran.Out) {
			if name := strings.TrimPrefix(path, "/app/"); seen[name] || name == "app.py" {
				f.Answers = append(f.Answers, name)
			}
		}
		return f, nil
	})
}

// copyOfIgnored asks what COPY does with a file that is left out.
func copyOfIgnored(r *rand.Rand) Plan {
	w, d := words(r, 3), &draft{}
	name := w[0] + ".txt"
	d.files = []File{{name, w[1] + "\n"}}
	d.say("A folder has a file %s, and this .dockerignore:", name)
	lines := [][]string{{"*.txt"}, {"*.txt", "!" + name}, {"**/*.txt"}, {"*", "!Dockerfile"}, {w[2] + "*"}}
	d.file(".dockerignore", pick(r, lines)...)
	d.say("This Dockerfile is built there:")
	d.parts = append(d.parts, fmt.Sprintf("    1  FROM learn/base\n    2  COPY %s /", name))
	d.files = append(d.files, dockerfile([]string{"FROM learn/base", "COPY " + name + " /"}))
	d.step(build("app")...)
	d.plan.Steps[0].MayFail = true
	const fails = "it fails at COPY, which does not find the file"
	d.asks(ByChoice, "How does the build end?")
	d.choice("well: the image has the file", "M-IGNORE-EXPLICIT")
	d.choice("well: the image doesn't have the file", "M-IGNORE-SILENT")
	d.choice(fails, "M-IGNORE-NO-EXCEPTION")
	return d.done(func(ran Ran) (Finding, error) {
		proof, steps := kinds(vocab.BuildContext)(ran), kinds(vocab.BuildStep)(ran)
		proof = append(proof, steps[max(0, len(steps)-1):]...) // COPY
		if ran.Code != 0 {
			return one(fails, proof), nil
		}
		if img := ran.World.Image("app"); len(img.Layers) == 2 && img.Layers[1].Files > 0 {
			return one("well: the image has the file", proof), nil
		}
		return one("well: the image doesn't have the file", proof), nil
	})
}
