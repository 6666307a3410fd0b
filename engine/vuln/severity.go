package vuln

import (
	"math"
	"strings"
)

// Level is how bad a flaw is said to be.
type Level int

// The levels, in order. Unknown: nobody said.
const (
	Unknown Level = iota
	None
	Low
	Medium
	High
	Critical
)

var levelWords = [...]string{"unknown", "none", "low", "medium", "high", "critical"}

// String is the level's word.
func (l Level) String() string { return levelWords[min(max(l, 0), Critical)] }

// ParseLevel reads a level's word, or one of those that databases have for them.
func ParseLevel(s string) (Level, bool) {
	switch s = strings.ToLower(s); s {
	case "moderate":
		return Medium, true
	case "negligible", "unimportant":
		return None, true
	case "important":
		return High, true
	}
	for i, w := range levelWords {
		if w == s {
			return Level(i), true
		}
	}
	return Unknown, false
}

// rate gives the level, the score (0 if there is none) and the vector of a record's flaw: what the record says of this package counts more
// than what it says of all.
func rate(r Record, a Affected) (level Level, score float64, vector string) {
	for _, list := range [][]Score{a.Severity, r.Severity} {
		for _, kind := range []string{"CVSS_V4", "CVSS_V3", "CVSS_V2"} {
			for _, s := range list {
				if s.Type != kind || len(s.Score) > 200 {
					continue
				}
				if vector == "" {
					vector = s.Score
				}
				if n, ok := CVSS(s.Score); ok && score == 0 {
					level, score = levelOf(n), n
				}
			}
		}
	}
	for _, word := range []string{a.Ecosystem.Severity, a.Specific.Severity, r.Specific.Severity} {
		if l, ok := ParseLevel(word); ok && level == Unknown {
			level = l
		}
	}
	return level, score, vector
}

func levelOf(score float64) Level {
	switch {
	case score == 0:
		return None
	case score < 4:
		return Low
	case score < 7:
		return Medium
	case score < 9:
		return High
	}
	return Critical
}

// CVSS computes the base score of a vector of CVSS 3.0 or 3.1 (first.org/cvss/v3.1/specification-document, 7.1). Those of other versions
// are shown and not computed.
func CVSS(vector string) (float64, bool) {
	rest, ok := strings.CutPrefix(vector, "CVSS:3.")
	if !ok {
		return 0, false
	}
	m := map[string]string{}
	for part := range strings.SplitSeq(rest, "/") {
		if k, v, ok := strings.Cut(part, ":"); ok {
			m[k] = v
		}
	}
	changed := m["S"] == "C"
	pr := map[string]float64{"N": 0.85, "L": 0.62, "H": 0.27}
	if changed {
		pr = map[string]float64{"N": 0.85, "L": 0.68, "H": 0.5}
	}
	impactOf := map[string]float64{"H": 0.56, "L": 0.22, "N": 0}
	values := map[string]map[string]float64{
		"AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2}, "AC": {"L": 0.77, "H": 0.44}, "PR": pr, "UI": {"N": 0.85, "R": 0.62},
		"C": impactOf, "I": impactOf, "A": impactOf, "S": {"U": 0, "C": 0},
	}
	v := map[string]float64{}
	for metric, table := range values {
		if v[metric], ok = table[m[metric]]; !ok {
			return 0, false
		}
	}
	base := 1 - (1-v["C"])*(1-v["I"])*(1-v["A"])
	impact := 6.42 * base
	if changed {
		impact = 7.52*(base-0.029) - 3.25*math.Pow(base-0.02, 15)
	}
	if impact <= 0 {
		return 0, true
	}
	score := impact + 8.22*v["AV"]*v["AC"]*v["PR"]*v["UI"]
	if changed {
		score *= 1.08
	}
	return roundUp(math.Min(score, 10)), true
}

// roundUp rounds to one decimal place, up, as appendix A does.
func roundUp(x float64) float64 {
	n := int(math.Round(x * 100000))
	if n%10000 == 0 {
		return float64(n) / 100000
	}
	return float64(n/10000+1) / 10
}
