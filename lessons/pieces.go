package lessons

import (
	"strings"

	"github.com/rivo/uniseg"
)

// piece is a part of a text that stays on one line.
type piece struct {
	text   string
	width  int  // columns
	spaced bool // a space stands before it, unless it begins a line
}

// pieces cuts a text at its white space, and between two characters where one of them is wide.
func pieces(text string) []piece {
	var out []piece
	var c cutter
	for _, word := range strings.Fields(text) {
		c.last = "" // a space has come between
		spaced := true
		for state := -1; word != ""; {
			cluster, rest, width, next := nextCluster(word, state)
			if spaced || c.mayBreak(cluster, width) {
				out = append(out, piece{spaced: spaced})
				spaced = false
			}
			p := &out[len(out)-1]
			p.text += cluster
			p.width += width
			c.take(cluster, width)
			word, state = rest, next
		}
	}
	return out
}

// nextCluster takes one character with all its marks off s, or a colour sequence, which has no width.
func nextCluster(s string, state int) (cluster, rest string, width, next int) {
	if strings.HasPrefix(s, "\x1b[") {
		if end := strings.IndexByte(s, 'm'); end > 0 {
			return s[:end+1], s[end+1:], 0, -1
		}
	}
	return uniseg.FirstGraphemeClusterInString(s, state)
}

// cutter remembers what stands before a place where a line could be broken.
type cutter struct {
	last       string // the character before; empty after a space
	wide       bool   // whether it is wide
	code, bold bool   // between marks of Markdown
	opened     bool   // the character before is a mark that has just opened
}

// Marks that cling to the text after or before them. A mark such as ` does either, in turn.
const (
	clingsToNext = "([{<\u201c\u2018\uff08\u300a\u300c\u3010"
	clingsToLast = ".,;:!?)]}>%\u201d\u2019\uff0c\u3002\u3001\uff1b\uff1a\uff01\uff1f\uff09\u300b\u300d\u3011\u2026\u2014"
)

// mayBreak tells whether a line may end before a character.
func (c *cutter) mayBreak(cluster string, width int) bool {
	switch {
	case c.last == "" || width == 0 || width < 2 && !c.wide:
		return false
	case c.opened || strings.Contains(clingsToNext, c.last) || strings.Contains(clingsToLast, cluster):
		return false
	case cluster == "`":
		return !c.code
	case cluster == "*":
		return !c.bold && c.last != "*"
	}
	return true
}

func (c *cutter) take(cluster string, width int) {
	if width == 0 {
		return
	}
	switch cluster {
	case "`":
		c.code = !c.code
		c.opened = c.code
	case "*":
		if c.last != "*" {
			c.bold = !c.bold
		}
		c.opened = c.bold
	default:
		c.opened = false
	}
	// Behind a closing mark counts what is before it.
	if cluster != "`" && cluster != "*" {
		c.wide = width > 1
	}
	c.last = cluster
}

// join puts two lines of a paragraph on one: with a space, unless both sides are wide characters, between which none is written.
func join(before, after string) string {
	end := ""
	for rest, state := lastWord(before), -1; rest != ""; {
		end, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
	}
	begin, _, _, _ := uniseg.FirstGraphemeClusterInString(after, -1)
	if uniseg.StringWidth(end) > 1 && uniseg.StringWidth(begin) > 1 {
		return before + after
	}
	return before + " " + after
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }
