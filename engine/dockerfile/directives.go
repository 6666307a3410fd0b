package dockerfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Check is what a "# check=" directive asks of the checks.
type Check struct {
	Skip         []string // rules that are not looked at
	SkipAll      bool
	Experimental []string // experimental rules that are
	AllRules     bool     // all of those
	Error        bool     // a warning fails the build
}

// Syntax is what a "# syntax=" directive names. The image is never run, here or anywhere: this builder reads the Dockerfile itself.
type Syntax struct {
	Image string // empty: there is no such directive
	Line  int
}

// directives reads the comments at the top that the parser obeys, by the rules of the reference parser, with their lines in errors.
func (f *File) directives(text []byte) error {
	var p parser.DirectiveParser
	for i, l := range f.lines {
		if i == 0 {
			l = strings.TrimPrefix(l, "\ufeff")
		}
		l = strings.TrimLeftFunc(l, unicode.IsSpace)
		if !strings.HasPrefix(l, "#") {
			break
		}
		d, err := p.ParseLine([]byte(l))
		if err != nil {
			return f.at(i+1, i+1, "", err.Error())
		}
		if d == nil {
			break
		}
		if d.Name == "escape" && d.Value != "`" && d.Value != `\` {
			return f.at(i+1, i+1, d.Value, fmt.Sprintf("invalid escape token '%s' does not match ` or \\", d.Value))
		}
	}
	if image, _, at, ok := parser.DetectSyntax(text); ok {
		f.Syntax = Syntax{image, f.line(at)}
	}
	value, _, at, ok := parser.ParseDirective("check", text)
	if !ok {
		return nil
	}
	check, wrong := parseCheck(value)
	if wrong != "" {
		return f.at(f.line(at), f.line(at), value, wrong)
	}
	f.Check = check
	return nil
}

func (f *File) line(at []parser.Range) int {
	if len(at) == 0 {
		return 1
	}
	return min(max(at[0].Start.Line, 1), len(f.lines))
}

// parseCheck reads skip=A,B;error=true;experimental=all. The second result is what is wrong.
func parseCheck(s string) (Check, string) {
	var c Check
	for _, part := range strings.SplitN(strings.TrimSpace(s), ";", 3) {
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			return c, "invalid check option " + strconv.Quote(part) + ": expected skip=RULE,RULE or skip=all, error=true or experimental=RULE"
		}
		switch key {
		case "skip":
			c.SkipAll, c.Skip = value == "all", ruleNames(value)
		case "experimental":
			c.AllRules, c.Experimental = value == "all", ruleNames(value)
		case "error":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return c, "check option error=" + value + ": expected true or false"
			}
			c.Error = on
		default:
			return c, "invalid check option " + strconv.Quote(key) + ": expected skip, error or experimental"
		}
	}
	return c, ""
}

func ruleNames(value string) []string {
	if value == "all" {
		return nil
	}
	var out []string
	for name := range strings.SplitSeq(value, ",") {
		out = append(out, strings.TrimSpace(name))
	}
	return out
}
