package dockerfile

import "strings"

// instructionNames come in the order in which a guess prefers them.
var instructionNames = []string{"RUN", "COPY", "FROM", "ENV", "ARG", "CMD", "ADD", "WORKDIR", "ENTRYPOINT", "EXPOSE", "LABEL", "USER",
	"VOLUME", "SHELL", "HEALTHCHECK", "STOPSIGNAL", "ONBUILD", "MAINTAINER"}

func flagNames(instruction string) []string {
	switch strings.ToUpper(instruction) {
	case "FROM":
		return []string{"platform"}
	case "COPY":
		return []string{"from", "chown", "chmod", "link", "parents", "exclude"}
	case "ADD":
		return []string{"chown", "chmod", "link", "checksum", "keep-git-dir", "unpack", "exclude"}
	case "RUN":
		return []string{"mount", "network", "security"}
	case "HEALTHCHECK":
		return []string{"interval", "timeout", "start-period", "start-interval", "retries"}
	}
	return nil
}

// suggest asks whether the nearest of names was meant, if one is near enough. Of equally near ones the first counts.
func suggest(word, prefix string, names []string) string {
	best, at := "", max(1, len(word)/3)+1
	for _, n := range names {
		if d := distance(word, n); d < at {
			best, at = n, d
		}
	}
	if best == "" {
		return ""
	}
	return " (did you mean " + prefix + best + "?)"
}

// distance counts the letters to add, drop, change or swap with their neighbour to get from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
