package vuln

import (
	"cmp"
	"strings"
)

// pep440 is a version of Python's packages: [N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local].
type pep440 struct {
	epoch           string
	release         []string
	pre             int // rank of its phase
	preNumber       string
	post, dev       string
	hasPost, hasDev bool
	local           string
	rest            string // what can't be read
}

// The phases, in order; none of them counts as later than all of them, unless the version is a development one without a phase.
const (
	pepDev = iota
	pepAlpha
	pepBeta
	pepRC
	pepFinal
)

var pepWords = map[string]int{"a": pepAlpha, "alpha": pepAlpha, "b": pepBeta, "beta": pepBeta, "c": pepRC, "rc": pepRC, "pre": pepRC, "preview": pepRC}

func parsePEP440(s string) pep440 {
	v := pep440{pre: pepFinal}
	s = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(s)), "v")
	s, v.local, _ = strings.Cut(s, "+")
	if e, rest, ok := strings.Cut(s, "!"); ok {
		v.epoch, s = e, rest
	}
	for {
		var n string
		n, s = span(s, isDigit)
		v.release = append(v.release, n)
		if len(s) < 2 || s[0] != '.' || !isDigit(s[1]) {
			break
		}
		s = s[1:]
	}
	v.suffixes(s)
	if v.hasDev && v.pre == pepFinal && !v.hasPost {
		v.pre = pepDev
	}
	return v
}

// suffixes reads what stands behind the release.
func (v *pep440) suffixes(s string) {
	between := func(c byte) bool { return c == '.' || c == '-' || c == '_' }
	for s != "" {
		sep, rest := span(s, between)
		word, rest := span(rest, isLetter)
		_, afterSep := span(rest, between)
		number, rest := span(afterSep, isDigit)
		rank, isPre := pepWords[word]
		switch {
		case isPre:
			v.pre, v.preNumber = rank, number
		case word == "post" || word == "rev" || word == "r" || word == "" && sep == "-" && number != "":
			v.hasPost, v.post = true, number
		case word == "dev":
			v.hasDev, v.dev = true, number
		default:
			v.rest = s
			return
		}
		s = rest
	}
}

// ComparePEP440 compares versions of Python's packages (PEP 440).
func ComparePEP440(a, b string) int {
	va, vb := parsePEP440(a), parsePEP440(b)
	if c := compareNumbers(va.epoch, vb.epoch); c != 0 {
		return c
	}
	for i := range max(len(va.release), len(vb.release)) {
		if c := compareNumbers(at(va.release, i), at(vb.release, i)); c != 0 {
			return c
		}
	}
	later := func(has bool) int { return choose(has, 1, 0) }
	return cmp.Or(cmp.Compare(va.pre, vb.pre), compareNumbers(va.preNumber, vb.preNumber), cmp.Compare(later(va.hasPost), later(vb.hasPost)),
		compareNumbers(va.post, vb.post), cmp.Compare(later(!va.hasDev), later(!vb.hasDev)), compareNumbers(va.dev, vb.dev),
		comparePEPLocal(va.local, vb.local), strings.Compare(va.rest, vb.rest))
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// comparePEPLocal: no local version is older than one; numbers are newer than text.
func comparePEPLocal(a, b string) int {
	split := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	}
	la, lb := split(a), split(b)
	for i := range min(len(la), len(lb)) {
		na, nb := isNumber(la[i]), isNumber(lb[i])
		switch {
		case na != nb:
			return choose(na, 1, -1)
		case na:
			if c := compareNumbers(la[i], lb[i]); c != 0 {
				return c
			}
		default:
			if c := strings.Compare(la[i], lb[i]); c != 0 {
				return c
			}
		}
	}
	return cmp.Compare(len(la), len(lb))
}
