package vuln

import (
	"cmp"
	"slices"
	"strings"
)

// apkSuffixes in their order; those before the empty one are older than no suffix.
var apkSuffixes = []string{"alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"}

// apkVersion is NUMBER{.NUMBER}[LETTER]{_SUFFIX[NUMBER]}[~HASH][-rNUMBER] (apk-package(5)).
type apkVersion struct {
	numbers  []string
	letter   string
	suffixes []apkSuffix
	revision string
	rest     string // what is left over
}

type apkSuffix struct {
	rank   int
	number string
}

func parseApk(s string) apkVersion {
	var v apkVersion
	for {
		var n string
		n, s = span(s, isDigit)
		v.numbers = append(v.numbers, n)
		if !strings.HasPrefix(s, ".") {
			break
		}
		s = s[1:]
	}
	if s != "" && isLetter(s[0]) {
		v.letter, s = s[:1], s[1:]
	}
	for strings.HasPrefix(s, "_") {
		var word, number string
		word, s = span(s[1:], isLetter)
		number, s = span(s, isDigit)
		rank := slices.Index(apkSuffixes, word)
		if rank < 0 || word == "" { // the empty one stands for no suffix, and is never written
			v.rest = "_" + word + number + s
			return v
		}
		v.suffixes = append(v.suffixes, apkSuffix{rank, number})
	}
	if strings.HasPrefix(s, "~") {
		_, s = span(s[1:], func(c byte) bool { return isDigit(c) || isLetter(c) })
	}
	if strings.HasPrefix(s, "-r") {
		v.revision, s = span(s[2:], isDigit)
	}
	v.rest = s
	return v
}

// CompareApk compares versions as apk does.
func CompareApk(a, b string) int {
	va, vb := parseApk(a), parseApk(b)
	for i := range max(len(va.numbers), len(vb.numbers)) {
		if i >= len(va.numbers) || i >= len(vb.numbers) {
			return cmp.Compare(len(va.numbers), len(vb.numbers))
		}
		if c := apkNumbers(va.numbers[i], vb.numbers[i], i > 0); c != 0 {
			return c
		}
	}
	if c := strings.Compare(va.letter, vb.letter); c != 0 {
		return c
	}
	for i := range max(len(va.suffixes), len(vb.suffixes)) {
		if c := cmp.Compare(va.rank(i), vb.rank(i)); c != 0 {
			return c
		}
		if c := compareNumbers(va.suffixes[i].number, vb.suffixes[i].number); c != 0 {
			return c
		}
	}
	return cmp.Or(compareNumbers(va.revision, vb.revision), strings.Compare(va.rest, vb.rest))
}

func (v apkVersion) rank(i int) int {
	if i < len(v.suffixes) {
		return v.suffixes[i].rank
	}
	return slices.Index(apkSuffixes, "")
}

// apkNumbers: behind the first dot, a number that begins with 0 is a fraction and is compared as text.
func apkNumbers(a, b string, fraction bool) int {
	if fraction && (strings.HasPrefix(a, "0") || strings.HasPrefix(b, "0")) {
		return strings.Compare(a, b)
	}
	return compareNumbers(a, b)
}
