package author

import (
	"slices"
	"strings"

	"github.com/learn-containers/learn/lessons"
	"github.com/learn-containers/learn/lessons/translate"
	"github.com/learn-containers/learn/trace/vocab"
)

// spellings are wrong spellings of words of the field, as expressions, and the right one.
var spellings = []struct{ wrong, right string }{
	{`[Dd]ocker files?`, "Dockerfile"},
	{`dockerfiles?`, "Dockerfile"},
	{`[Dd]ocker [Ii]gnore`, ".dockerignore"},
	{`[Dd]ockerhub|docker hub`, "Docker Hub"},
	{`[Ww]hite[- ]outs?`, "whiteout"},
	{`[Ee]ntry[- ]points?`, "ENTRYPOINT, or entrypoint"},
	{`[Nn]ame[- ]spaces?`, "namespace"},
	{`[Cc][- ]groups?`, "cgroup"},
	{`[Mm]ultistage|[Mm]ulti stage`, "multi-stage"},
	{`[Cc]opy on write`, "copy-on-write"},
	{`[Oo]ver-lay`, "overlay"},
	{`[Cc]heck[- ]sums?`, "checksum"},
	{`[Mm]eta[- ]data`, "metadata"},
	{`[Ss]ub-nets?`, "subnet"},
	{`[Bb]uild-cache`, "build cache"},
	{`[Bb]ind-mounts?`, "bind mount"},
	{`[Ww]ork[- ]dir`, "WORKDIR, or workspace"},
	{`sig(?:term|kill|int|hup)|SIG[- ](?:TERM|KILL|INT|HUP)`, "SIGTERM, SIGKILL, SIGINT or SIGHUP"},
	{`[Rr]egistery|[Rr]egestry`, "registry"},
	{`[Cc]ontianers?|[Cc]onatiners?`, "container"},
}

// spoken is a text without code and links' targets: what a reader hears.
func (p patterns) spoken(text string) string {
	return p.linkTarget.ReplaceAllString(p.codeSpan.ReplaceAllString(p.fencedText.ReplaceAllString(text, " "), " ` "), "]")
}

// vocabulary finds words of the field that are spelled otherwise than the rest of the course does.
func (k *checker) vocabulary() {
	for _, t := range k.draft.Texts() {
		text := k.course.spoken(t.Source)
		for i, wrong := range k.course.misspelled {
			for _, m := range wrong.FindAllStringSubmatch(text, -1) {
				k.fault(k.lineWith(t.Line, m[1]), "%q is spelled %s", m[1], spellings[i].right)
			}
		}
	}
}

// kinds finds kinds of events that no engine ever records, in expressions and in the text.
func (k *checker) kinds() {
	k.blocks(func(b lessons.Block) {
		for _, x := range expressions(b) {
			for _, name := range k.course.kindsIn(x.Source) {
				if _, ok := vocab.Lookup(name); !ok && !isChange(name) {
					k.fault(k.lineWith(x.Line, `"`+name+`"`), "there is no kind of event %q; expected one of trace/vocab", name)
				}
			}
		}
	})
	for _, t := range k.draft.Texts() {
		for _, m := range k.course.kindNamed.FindAllStringSubmatch(t.Source, -1) {
			if _, ok := vocab.Lookup(m[1]); !ok && looksLikeKind(m[1]) {
				k.fault(k.lineWith(t.Line, m[0]), "there is no kind of event %s; expected one of trace/vocab", m[0])
			}
		}
	}
}

// looksLikeKind tells a kind of event from a file's name: it begins as other kinds do.
func looksLikeKind(name string) bool {
	first, rest, _ := strings.Cut(name, ".")
	if slices.Contains([]string{"json", "jsonl", "txt", "md", "go", "sh", "tar", "yaml", "yml", "log", "conf", "internal"}, rest) {
		return false
	}
	return slices.ContainsFunc(vocab.Kinds, func(kind vocab.Kind) bool { return strings.HasPrefix(kind.Name, first+".") })
}

// isChange tells the kind of a change of a file, A, C or D, or none, which has the same name in expressions.
func isChange(name string) bool { return name == "" || name == "A" || name == "C" || name == "D" }

func (p patterns) kindsIn(expression string) []string {
	var out []string
	for _, m := range p.kindCompared.FindAllStringSubmatch(expression, -1) {
		out = append(out, m[1])
	}
	for _, m := range p.kindIn.FindAllStringSubmatch(expression, -1) {
		for _, q := range p.quoted.FindAllStringSubmatch(m[1], -1) {
			out = append(out, q[1])
		}
	}
	return out
}

func expressions(b lessons.Block) []lessons.Expr {
	switch {
	case b.Predict != nil:
		out := []lessons.Expr{b.Predict.Key}
		for _, p := range b.Predict.Proof {
			out = append(out, p.Expr)
		}
		return out
	case b.Evidence != nil:
		return []lessons.Expr{b.Evidence.Key}
	case b.Check != nil:
		return []lessons.Expr{b.Check.Now, b.Check.Ever, b.Check.Only}
	}
	return nil
}

// translations holds those beside the lesson against it. What is missing or stale only shows the original.
func (k *checker) translations() {
	for _, s := range k.draft.Sides {
		k.out = append(k.out, compare(k.draft.Root, s.File, s.Source, k.draft.File, k.draft.Texts())...)
	}
}

func compare(root, name string, source []byte, original string, texts []translate.Text) []Finding {
	f, err := translate.Parse(name, source)
	if err != nil {
		return []Finding{faultOf(root, name, err)}
	}
	var out []Finding
	for _, found := range f.Compare(original, texts) {
		light := found.State == translate.Missing || found.State == translate.Stale
		out = append(out, Finding{File: Draft{Root: root}.shown(name), Line: found.Line, Warning: light, Text: found.Text})
	}
	return out
}
