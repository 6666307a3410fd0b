package expression

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
)

// Var is one seeded variable: its name and how its value is drawn.
type Var struct {
	Name   string
	Source string // rand(4, 9), word(), pick("a", "b") or a plain value
	Line   int
}

// VarError is a variable that can't be drawn.
type VarError struct {
	Var  Var
	Text string
}

func (e *VarError) Error() string { return fmt.Sprintf("variable %s: %s", e.Var.Name, e.Text) }

// Draw draws variables: the same seed gives the same values, another id or seed others. The error is a *VarError.
func Draw(id string, vars []Var, seed uint64) (map[string]any, error) {
	h := fnv.New64a()
	h.Write([]byte(id))
	d := drawer{rand.New(rand.NewPCG(seed, h.Sum64())), map[string]bool{}}
	values := map[string]any{}
	for _, v := range vars {
		value, err := d.draw(v, values)
		if err != nil {
			return nil, &VarError{v, FirstLine(err)}
		}
		values[v.Name] = value
	}
	return values, nil
}

type drawer struct {
	rng  *rand.Rand
	used map[string]bool // words drawn so far: two variables never get the same
}

// draw evaluates a source that has a call in it, with the variables above at hand; anything else is a plain value.
func (d drawer) draw(v Var, above map[string]any) (any, error) {
	if !strings.Contains(v.Source, "(") {
		if n, err := strconv.Atoi(v.Source); err == nil {
			return n, nil
		}
		return v.Source, nil
	}
	env := map[string]any{"rand": d.rand, "word": d.word, "pick": d.pick}
	for name, value := range above {
		env[name] = value
	}
	return expr.Eval(v.Source, env)
}

// rand draws from low to high, both included.
func (d drawer) rand(low, high int) (int, error) {
	if high < low {
		return 0, fmt.Errorf("rand(%d, %d) has no value; expected the smaller number first", low, high)
	}
	return low + d.rng.IntN(high-low+1), nil
}

func (d drawer) pick(from ...any) (any, error) {
	if len(from) == 0 {
		return nil, fmt.Errorf("pick() has nothing to pick from")
	}
	return from[d.rng.IntN(len(from))], nil
}

// word draws a short word that can be a file, image or container name.
func (d drawer) word() (string, error) {
	words := strings.Fields(`amber anchor apple arrow basil birch bread brook cedar cherry clover comet copper coral
		daisy delta ember falcon fern fig forest garnet ginger harbor hazel heron indigo iris ivory jasper juniper
		lemon lilac linen lotus maple marble meadow mint nutmeg oak olive onyx opal orchid otter pearl pepper pine
		plum poppy quartz raven reed river robin ruby saffron sage sparrow spruce tulip velvet violet walnut willow`)
	for range 1000 {
		if w := words[d.rng.IntN(len(words))]; !d.used[w] {
			d.used[w] = true
			return w, nil
		}
	}
	return "", fmt.Errorf("word() has no word left; expected at most %d variables with a word", len(words))
}

// Fill replaces each {{expression}} over the variables by its value. Go templates, which docker's --format takes, are
// left alone: {{.Size}}, {{json .Config}}, {{end}}.
func Fill(text string, values map[string]any) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}}")
		switch {
		case !closed:
			b.WriteString("{{")
			text = rest
			continue
		case isGoTemplate(inner):
			b.WriteString("{{" + inner + "}}")
		default:
			value, err := expr.Eval(inner, values)
			if err == nil && value == nil {
				err = fmt.Errorf("no variable of that name")
			}
			if err != nil {
				return "", fmt.Errorf("template {{%s}}: %s; expected an expression over the variables in the front matter", inner, FirstLine(err))
			}
			fmt.Fprint(&b, value)
		}
		text = after
	}
}

func isGoTemplate(inner string) bool {
	inner = strings.TrimSpace(inner)
	switch inner {
	case "", "end", "else":
		return true
	}
	return strings.HasPrefix(inner, ".") || strings.Contains(inner, " .") || strings.HasPrefix(inner, "$") || strings.HasPrefix(inner, "-")
}

// FirstLine drops the source excerpt that expr appends to its messages.
func FirstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// VarsIn lists the variables that an expression names as vars.NAME.
func VarsIn(source string) []string {
	var names []string
	for _, word := range strings.Split(source, "vars.")[1:] {
		end := strings.IndexFunc(word, func(r rune) bool { return r != '_' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') })
		if end >= 0 {
			word = word[:end]
		}
		names = append(names, word)
	}
	return names
}
