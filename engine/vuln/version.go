package vuln

import (
	"cmp"
	"strconv"
	"strings"
)

// Scheme is the order of versions that an ecosystem has.
type Scheme func(a, b string) int

// schemes gives the order for an ecosystem of OSV, without what stands behind its colon.
func schemeOf(ecosystem string) Scheme {
	switch ecosystem {
	case "Debian", "Ubuntu":
		return CompareDpkg
	case "Alpine":
		return CompareApk
	case "Red Hat", "Rocky Linux", "AlmaLinux":
		return CompareRPM
	case "PyPI":
		return ComparePEP440
	}
	return CompareSemver
}

// compareNumbers compares digits as a number of any length.
func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// span cuts off the begin of s as far as is holds.
func span(s string, is func(byte) bool) (head, rest string) {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// CompareDpkg compares versions as dpkg does (deb-version(7)).
func CompareDpkg(a, b string) int {
	ea, ua, ra := splitDpkg(a)
	eb, ub, rb := splitDpkg(b)
	return cmp.Or(compareNumbers(ea, eb), dpkgPart(ua, ub), dpkgPart(ra, rb))
}

func splitDpkg(v string) (epoch, upstream, revision string) {
	if e, rest, ok := strings.Cut(v, ":"); ok {
		epoch, v = e, rest
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// dpkgPart compares parts without digits and numbers in turn; a tilde sorts before everything, letters before other characters.
func dpkgPart(a, b string) int {
	weight := func(s string, i int) int {
		switch {
		case i >= len(s) || isDigit(s[i]):
			return 0
		case s[i] == '~':
			return -1
		case isLetter(s[i]):
			return int(s[i])
		}
		return int(s[i]) + 256
	}
	for a != "" || b != "" {
		i := 0
		for ; i < len(a) && !isDigit(a[i]) || i < len(b) && !isDigit(b[i]); i++ {
			if c := cmp.Compare(weight(a, i), weight(b, i)); c != 0 {
				return c
			}
		}
		a, b = a[min(i, len(a)):], b[min(i, len(b)):]
		var na, nb string
		na, a = span(a, isDigit)
		nb, b = span(b, isDigit)
		if c := compareNumbers(na, nb); c != 0 {
			return c
		}
	}
	return 0
}

// CompareRPM compares EPOCH:VERSION-RELEASE as rpm does (rpmvercmp). A release that one of them lacks isn't compared.
func CompareRPM(a, b string) int {
	ea, va, ra := splitDpkg(a)
	eb, vb, rb := splitDpkg(b)
	if c := cmp.Or(compareNumbers(ea, eb), rpmPart(va, vb)); c != 0 || ra == "" || rb == "" {
		return c
	}
	return rpmPart(ra, rb)
}

func rpmPart(a, b string) int {
	separator := func(c byte) bool { return !isDigit(c) && !isLetter(c) && c != '~' && c != '^' }
	for {
		_, a = span(a, separator)
		_, b = span(b, separator)
		ta, tb := strings.HasPrefix(a, "~"), strings.HasPrefix(b, "~")
		ca, cb := strings.HasPrefix(a, "^"), strings.HasPrefix(b, "^")
		switch {
		case ta && tb || ca && cb:
			a, b = a[1:], b[1:]
			continue
		case ta != tb: // a tilde is older than nothing
			return choose(ta, -1, 1)
		case ca != cb: // a caret is newer than nothing, and older than anything else
			return choose(ca, choose(b == "", 1, -1), choose(a == "", -1, 1))
		case a == "" || b == "":
			return cmp.Compare(len(a), len(b))
		}
		is := isLetter
		if isDigit(a[0]) {
			is = isDigit
		}
		var sa, sb string
		sa, a = span(a, is)
		sb, b = span(b, is)
		if sb == "" { // a number is newer than letters
			return choose(isDigit(sa[0]), 1, -1)
		}
		if isDigit(sa[0]) {
			if c := compareNumbers(sa, sb); c != 0 {
				return c
			}
		} else if c := strings.Compare(sa, sb); c != 0 {
			return c
		}
	}
}

func choose(yes bool, a, b int) int {
	if yes {
		return a
	}
	return b
}

// CompareSemver compares semantic versions (semver.org, 11), with or without a leading v; missing numbers count as 0. What is no number
// where one should be is compared as text.
func CompareSemver(a, b string) int {
	ca, pa := splitSemver(a)
	cb, pb := splitSemver(b)
	if c := compareDotted(ca, cb, "0"); c != 0 {
		return c
	}
	if pa == "" || pb == "" {
		return cmp.Compare(choose(pa == "", 1, 0), choose(pb == "", 1, 0)) // a release is newer than what came before it
	}
	return compareDotted(pa, pb, "")
}

func splitSemver(v string) (core, pre string) {
	v = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(v), "v"), "=")
	v, _, _ = strings.Cut(v, "+")
	core, pre, _ = strings.Cut(v, "-")
	return core, pre
}

// compareDotted compares the parts between dots; missing stands for those that one of them lacks, or none is older.
func compareDotted(a, b, missing string) int {
	for a != "" || b != "" {
		var pa, pb string
		pa, a, _ = strings.Cut(a, ".")
		pb, b, _ = strings.Cut(b, ".")
		if missing == "" && (pa == "") != (pb == "") {
			return choose(pa == "", -1, 1)
		}
		if c := compareIdentifiers(cmp.Or(pa, missing), cmp.Or(pb, missing)); c != 0 {
			return c
		}
	}
	return 0
}

// compareIdentifiers: numbers are older than text.
func compareIdentifiers(a, b string) int {
	na, nb := isNumber(a), isNumber(b)
	switch {
	case na && nb:
		return compareNumbers(a, b)
	case na != nb:
		return choose(na, -1, 1)
	}
	return strings.Compare(a, b)
}

func isNumber(s string) bool {
	_, rest := span(s, isDigit)
	return s != "" && rest == ""
}

// GoVersion makes a semantic version of a Go release: of 1.22rc1, 1.22.0-rc.1.
func GoVersion(v string) string {
	core, rest := span(v, func(c byte) bool { return isDigit(c) || c == '.' })
	for strings.Count(core, ".") < 2 {
		core += ".0"
	}
	word, number := span(rest, isLetter)
	if _, err := strconv.Atoi(number); word == "" || err != nil {
		return core + rest
	}
	return core + "-" + word + "." + number
}
