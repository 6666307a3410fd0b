package build

import (
	"path"
	"slices"
	"strings"
)

// copied is a COPY or ADD from the context, as far as its text tells.
type copied struct {
	name  string   // COPY or ADD
	flags []string // as written
	dest  string   // as written
	at    string   // absolute
	plain bool     // the destination is absolute as written
	names []string // at the top of what it brings, folders with a slash behind
}

// parseCopied reads the record of a COPY; false if the text leaves anything open.
func parseCopied(s *StepRecord) (copied, bool) {
	w := strings.Fields(s.Instruction)
	if len(w) < 3 || w[0] != "COPY" && w[0] != "ADD" || strings.ContainsAny(s.Text, "\"'[<\\") || len(s.Names) == 0 || len(s.Names) >= maxNames {
		return copied{}, false
	}
	c := copied{name: w[0], names: s.Names}
	for _, x := range strings.Fields(s.Text)[1:] {
		if strings.HasPrefix(x, "--") {
			c.flags = append(c.flags, x)
		}
		if strings.HasPrefix(x, "--from") || strings.HasPrefix(x, "--parents") || strings.HasPrefix(x, "--exclude") {
			return copied{}, false
		}
	}
	c.dest = w[len(w)-1]
	c.plain, c.at = path.IsAbs(c.dest), absoluteIn(s.Parts.Workdir, c.dest)
	return c, !private(c.at)
}

func absoluteIn(dir, p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join("/", dir, p)
}

// private tells that any program may read what is at p without naming it.
func private(p string) bool {
	if p == "/" {
		return true
	}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/root", "/dev", "/proc", "/sys", "/run", "/boot", "/usr/bin", "/usr/sbin", "/usr/lib",
		"/usr/lib64", "/usr/libexec", "/usr/share", "/usr/include", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/usr/local/share", "/usr/local/include", "/usr/local/etc", "/var/lib", "/var/cache"} {
		if overlap(dir, p) {
			return true
		}
	}
	return false
}

// overlap tells that one path is the other or above it.
func overlap(a, b string) bool { return within(a, b) || within(b, a) }

func within(p, dir string) bool { return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") }

// brought tells that a change is one of the files.
func (c *copied) brought(r *Reason, files []string) bool {
	return slices.ContainsFunc(r.Files, func(f FileChange) bool {
		return slices.ContainsFunc(files, func(n string) bool { return within(f.Path, strings.TrimSuffix(n, "/")) })
	})
}

// only is the instruction that copies just these files, to where they would have gone.
func (c *copied) only(files []string) string {
	dest := c.dest
	if !strings.HasSuffix(dest, "/") {
		dest += "/"
	}
	return strings.Join(slices.Concat([]string{c.name}, c.flags, files, []string{dest}), " ")
}

// need is what a step reads of what a COPY brings.
type need struct {
	known   bool     // false: it may read or change anything
	files   []string // of the COPY's names
	assumes []string
}

// needs tells what a step reads of what the COPY brings, as far as its words tell.
func (c *copied) needs(t *StepRecord) need {
	switch word(t.Instruction) {
	case "WORKDIR":
		dir := strings.TrimSpace(strings.TrimPrefix(t.Instruction, "WORKDIR"))
		return need{known: c.plain && path.IsAbs(dir) && !overlap(dir, c.at)}
	case "COPY", "ADD":
		w := strings.Fields(t.Instruction)
		return need{known: !strings.ContainsAny(t.Text, "\"'[") && !overlap(absoluteIn(t.Parts.Workdir, w[len(w)-1]), c.at)}
	case "RUN":
		return c.runNeeds(t)
	}
	return need{}
}

func (c *copied) runNeeds(t *StepRecord) need {
	if len(t.Parts.Command) != 3 || t.Parts.Command[1] != "-c" {
		return need{}
	}
	for _, m := range t.Parts.Mounts {
		if overlap(path.Clean(target(m)), c.at) {
			return need{}
		}
	}
	commands, ok := simpleCommands(t.Parts.Command[2])
	if !ok {
		return need{}
	}
	all := need{known: true}
	for _, words := range commands {
		n := c.commandNeeds(words, path.Join("/", t.Parts.Workdir))
		if !n.known {
			return n
		}
		all.files, all.assumes = addNew(all.files, n.files...), addNew(all.assumes, n.assumes...)
	}
	return all
}

// simpleCommands splits a script into commands without anything whose meaning its words don't show; false if there is such a thing.
func simpleCommands(script string) ([][]string, bool) {
	if strings.ContainsAny(script, "$`\"'(){}*?[]<~\\#") {
		if script = unquoted(script); strings.ContainsAny(script, "$`\"'(){}*?[<~\\#") {
			return nil, false
		}
	}
	var list [][]string
	for _, part := range strings.FieldsFunc(strings.ReplaceAll(script, "2>&1", ""), func(r rune) bool { return strings.ContainsRune("&|;\n", r) }) {
		words := strings.Fields(part)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:] // an assignment
		}
		if len(words) > 0 {
			list = append(list, words)
		}
	}
	return list, len(list) > 0
}

// unquoted takes quotes off that hold nothing but letters, digits and what paths and versions are made of.
func unquoted(script string) string {
	var b strings.Builder
	for rest := script; rest != ""; {
		i := strings.IndexAny(rest, `"'`)
		if i < 0 {
			b.WriteString(rest)
			break
		}
		end := strings.IndexByte(rest[i+1:], rest[i])
		if end < 0 || strings.ContainsFunc(rest[i+1:i+1+end], func(r rune) bool { return !strings.ContainsRune(safeBytes, r) }) {
			return script
		}
		b.WriteString(rest[:i] + rest[i+1:i+1+end])
		rest = rest[i+2+end:]
	}
	return b.String()
}

const safeBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@+,%"

// What programs read. Whatever is not listed may read anything.
var (
	wordless = []string{"echo", "printf", "true", "false", ":", "sleep", "seq", "date", "exit", "set", "uname", "id", "whoami", "hostname"}
	packages = []string{"apt-get", "apt", "apk", "yum", "dnf", "microdnf", "zypper", "pacman", "useradd", "adduser", "groupadd", "addgroup", "update-ca-certificates", "corepack", "rustup"}
	readers  = []string{"cat", "grep", "sort", "wc", "head", "tail", "sha256sum", "md5sum", "cut", "tr", "uniq", "test", "cmp"}
	makers   = []string{"mkdir", "touch"}
)

// commandNeeds tells what one command reads that runs in dir.
func (c *copied) commandNeeds(words []string, dir string) need {
	words, ok := c.written(words, dir)
	if !ok || len(words) == 0 {
		return need{}
	}
	name, rest := path.Base(words[0]), words[1:]
	if words[0] != name && !private(words[0]) {
		return need{} // a program that some step brought
	}
	switch {
	case slices.Contains(wordless, name):
		return need{known: true}
	case slices.Contains(packages, name):
		if slices.ContainsFunc(rest, func(w string) bool { return strings.Contains(w, "/") && !strings.HasPrefix(w, "-") }) {
			return need{}
		}
		return need{known: true, assumes: []string{name + " reads nothing below " + c.at}}
	case slices.Contains(readers, name):
		return c.named(rest, dir)
	case slices.Contains(makers, name):
		n := c.named(rest, dir)
		return need{known: n.known && len(n.files) == 0}
	}
	return c.installerNeeds(name, rest, dir)
}

// written takes redirections of output away; false if one changes what the COPY brings.
func (c *copied) written(words []string, dir string) ([]string, bool) {
	var out []string
	for i := 0; i < len(words); i++ {
		before, file, found := strings.Cut(words[i], ">")
		if !found {
			out = append(out, words[i])
			continue
		}
		if strings.Trim(before, "012") != "" {
			out = append(out, before)
		}
		if file = strings.TrimLeft(file, ">"); file == "" && i+1 < len(words) {
			i++
			file = words[i]
		}
		if n := c.named([]string{file}, dir); file == "" || !n.known || len(n.files) > 0 {
			return nil, false
		}
	}
	return out, true
}

// named finds the files of the COPY among the words of a command.
func (c *copied) named(words []string, dir string) need {
	n := need{known: true}
	for _, w := range words {
		if w == "" || strings.HasPrefix(w, "-") && w != "-" {
			continue
		}
		p := absoluteIn(dir, w)
		if within(c.at, p) {
			return need{} // the whole folder
		}
		if !within(p, c.at) {
			continue
		}
		file := c.source(p)
		switch {
		case strings.HasSuffix(file, "/"), file == "" && strings.Contains(strings.TrimPrefix(p, c.at+"/"), "/"):
			return need{} // a folder, or something below one: there is no telling what is brought
		case file != "":
			n.files = addNew(n.files, file)
		}
	}
	return n
}

// source is the name that goes to p, or empty.
func (c *copied) source(p string) string {
	base := path.Base(p)
	for _, n := range c.names {
		if path.Base(n) == base && path.Join(c.at, base) == p {
			return n
		}
	}
	return ""
}

// installer is a program that reads the manifest of a project in its folder.
type installer struct {
	name, verb string
	files      []string // that it reads
	first      string   // without this one there is no telling
	never      []string // names that make it read more
	flag       string   // it needs this flag to read nothing else
	assumes    string
}

var installers = []installer{
	{"npm", "ci", []string{"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"}, "package.json", nil, "", "package.json names no workspace and no folder, and no script that npm runs then reads other files"},
	{"npm", "install", []string{"package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"}, "package.json", nil, "", "package.json names no workspace and no folder, and no script that npm runs then reads other files"},
	{"yarn", "install", []string{"package.json", "yarn.lock", ".yarnrc", ".yarnrc.yml", ".npmrc"}, "package.json", []string{".yarn/"}, "", "package.json names no workspace and no folder, and no script that yarn runs then reads other files"},
	{"pnpm", "install", []string{"package.json", "pnpm-lock.yaml", ".npmrc"}, "package.json", []string{"pnpm-workspace.yaml"}, "", "package.json names no folder, and no script that pnpm runs then reads other files"},
	{"go", "mod download", []string{"go.mod", "go.sum"}, "go.mod", []string{"go.work", "vendor/"}, "", "go.mod replaces no module by a folder"},
	{"bundle", "install", []string{"Gemfile", "Gemfile.lock"}, "Gemfile", nil, "", "Gemfile names no folder and reads no other file"},
	{"composer", "install", []string{"composer.json", "composer.lock"}, "composer.json", nil, "--no-autoloader", "composer.json names no folder, and no script that composer runs reads other files"},
	{"poetry", "install", []string{"pyproject.toml", "poetry.lock"}, "pyproject.toml", nil, "--no-root", "pyproject.toml names no folder"},
	{"mvn", "dependency:go-offline", []string{"pom.xml"}, "pom.xml", nil, "", "pom.xml has no modules"},
}

// installerNeeds knows programs that fetch what a project depends on.
func (c *copied) installerNeeds(name string, rest []string, dir string) need {
	if !overlap(dir, c.at) {
		if !slices.ContainsFunc(installers, func(in installer) bool { return in.name == name }) {
			return need{}
		}
		return need{known: true, assumes: []string{name + " in " + dir + " reads nothing below " + c.at}}
	}
	if name == "pip" || name == "pip3" || strings.HasPrefix(name, "python") && len(rest) > 2 && rest[0] == "-m" && rest[1] == "pip" {
		if strings.HasPrefix(name, "python") {
			rest = rest[2:]
		}
		return c.pipNeeds(rest, dir)
	}
	line := strings.Join(slices.DeleteFunc(slices.Clone(rest), func(w string) bool { return strings.HasPrefix(w, "-") }), " ")
	if name == "yarn" && line == "" {
		line = "install"
	}
	for _, in := range installers {
		if in.name == name && in.verb == line && dir == c.at && (in.flag == "" || slices.Contains(rest, in.flag)) {
			return c.manifest(in)
		}
	}
	return need{}
}

func (c *copied) manifest(in installer) need {
	n := need{assumes: []string{in.assumes}}
	for _, f := range c.names {
		base := path.Base(f)
		if strings.HasSuffix(f, "/") {
			base += "/"
		}
		if slices.Contains(in.never, base) {
			return need{}
		}
		if slices.Contains(in.files, base) {
			n.files, n.known = append(n.files, f), n.known || base == in.first
		}
	}
	return n
}

// pipNeeds reads the words of pip install.
func (c *copied) pipNeeds(words []string, dir string) need {
	if len(words) == 0 || words[0] != "install" {
		return need{}
	}
	n := need{known: true}
	for i := 1; i < len(words); i++ {
		w := words[i]
		file, ok := strings.CutPrefix(w, "--requirement=")
		switch {
		case (w == "-r" || w == "-c" || w == "--requirement" || w == "--constraint") && i+1 < len(words):
			i++
			file, ok = words[i], true
		case w == "-e" || w == "--editable", !strings.HasPrefix(w, "-") && (strings.Contains(w, "/") || strings.HasPrefix(w, ".")):
			return need{}
		}
		if !ok {
			continue
		}
		found := c.named([]string{file}, dir)
		if !found.known || len(found.files) == 0 {
			return need{}
		}
		n.files = addNew(n.files, found.files...)
		n.assumes = addNew(n.assumes, file+" names no folder and no other file")
	}
	if len(n.files) == 0 {
		n.assumes = []string{"pip reads nothing below " + c.at}
	}
	return n
}
