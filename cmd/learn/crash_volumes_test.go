package main

import "strings"

// volumeOperations are those that make, fill and remove volumes.
func volumeOperations() []operation {
	gone := []string{"volume", "rm", "-f", "vv"}
	return []operation{
		{"volume create", nil, [][]string{gone}, []string{"volume", "create", "vv"}},
		{"volume rm", nil, [][]string{{"volume", "create", "vv"}}, []string{"volume", "rm", "vv"}},
		{"create with volumes", nil, [][]string{gone, {"volume", "prune", "-f"}}, []string{"create", "--name", "xx", "-v", "vv:/etc", "-v", "/anon", "learn/base", "true"}},
		{"rm -v", nil, [][]string{{"volume", "prune", "-f"}, {"create", "--name", "xx", "-v", "/anon", "learn/base", "true"}}, []string{"rm", "-v", "xx"}},
	}
}

// lookAfter gives, by the operation's name, what else must hold after a crash: an empty answer is a good one.
func lookAfter(name string) func(m *machine) string {
	switch name {
	case "create with volumes":
		return fullOrEmpty
	case "rm -v":
		return withContainer
	}
	return nil
}

// tried tells the points at which an operation is killed: one with volumes passes many that others pass, too.
func (op operation) tried(point string) bool {
	return lookAfter(op.name) == nil || strings.Contains(point, "volume.") || strings.Contains(point, "folder.") ||
		point == "container.create.before-record" || strings.HasPrefix(point, "container.remove.")
}

// fullOrEmpty: a volume that was being filled has everything or nothing, and the next container finds everything.
func fullOrEmpty(m *machine) string {
	text := withContainer(m)
	const count = "ls -A /v | grep -v resolv.conf | wc -l" // which is made to mount on
	want := m.must("run", "--rm", "learn/base", "sh", "-c", "ls -A /etc | grep -v resolv.conf | wc -l")
	if m.must("volume", "ls", "-q", "--filter", "name=vv") == "vv" {
		if got := m.must("run", "--rm", "-v", "vv:/v:nocopy", "learn/base", "sh", "-c", count); got != "0" && got != want {
			text += "the volume has " + got + " of " + want + " names; "
		}
	}
	if got := m.must("run", "--rm", "-v", "vv:/etc", "learn/base", "sh", "-c", "ls -A /etc | grep -v resolv.conf | wc -l"); got != want {
		text += "the next container has " + got + " of " + want + " names; "
	}
	return text
}

// withContainer: an anonymous volume is there if and only if its container is.
func withContainer(m *machine) string {
	anonymous := 0
	for name := range strings.FieldsSeq(m.must("volume", "ls", "-q")) {
		if len(name) == 64 {
			anonymous++
		}
	}
	if containers := len(strings.Fields(m.must("ps", "-aq"))); containers != anonymous {
		return "there are not as many anonymous volumes as containers; "
	}
	return ""
}
