package lint

import (
	"slices"
	"strings"
)

// manager is a package manager and what it leaves behind.
type manager struct {
	names   []string
	install []string
	caches  []string // folders: a mount over one of them, or over a folder that holds it, keeps the layer clean
	quiet   []string // flags that keep it from leaving anything
	clean   [][]string
	what    string
}

var managers = []manager{
	{names: []string{"apt-get", "apt"}, install: []string{"install"}, caches: []string{"/var/lib/apt/lists"}, what: "package lists in /var/lib/apt/lists"},
	{names: []string{"apk"}, install: []string{"add"}, caches: []string{"/var/cache/apk", "/etc/apk/cache"}, quiet: []string{"--no-cache"}, clean: [][]string{{"apk", "cache", "clean"}}, what: "indexes in /var/cache/apk"},
	{names: []string{"dnf", "microdnf", "yum", "tdnf"}, install: []string{"install", "update", "upgrade"}, caches: []string{"/var/cache/dnf", "/var/cache/yum", "/var/cache/libdnf5", "/var/cache/tdnf"},
		clean: [][]string{{"dnf", "clean", "all"}, {"yum", "clean", "all"}, {"microdnf", "clean", "all"}, {"tdnf", "clean", "all"}}, what: "metadata and packages in /var/cache"},
	{names: []string{"pip", "pip3"}, install: []string{"install"}, caches: []string{"/root/.cache/pip"}, quiet: []string{"--no-cache-dir"}, clean: [][]string{{"pip", "cache", "purge"}, {"pip3", "cache", "purge"}},
		what: "downloads in ~/.cache/pip"},
	{names: []string{"npm"}, install: []string{"install", "ci", "i"}, caches: []string{"/root/.npm"}, clean: [][]string{{"npm", "cache", "clean"}}, what: "downloads in ~/.npm"},
	{names: []string{"yarn"}, install: []string{"install", "add"}, caches: []string{"/usr/local/share/.cache", "/root/.cache/yarn"}, clean: [][]string{{"yarn", "cache", "clean"}}, what: "downloads in its cache"},
	{names: []string{"gem"}, install: []string{"install"}, caches: []string{"/usr/local/bundle/cache", "/root/.gem", "/root/.local/share/gem"}, what: "packages in the cache folder of gems"},
}

// packageCaches looks for managers that leave something in the layer of st.
func (w *walk) packageCaches(st step, calls []call) {
	for _, m := range managers {
		for _, c := range calls {
			if contains(m.names, c.name()) && c.has(m.install...) && !m.tidy(st, c, calls) {
				w.tell(rulePackageCache, st, "%s leaves %s in the layer", c.name(), m.what)
				break
			}
		}
	}
}

func (m manager) tidy(st step, c call, calls []call) bool {
	if c.has(m.quiet...) || st.quiet && contains(m.names, "pip") {
		return true
	}
	for _, dir := range m.caches {
		if covered(st, dir) || slices.ContainsFunc(calls, func(c call) bool { return removes(c, dir) }) {
			return true
		}
	}
	return slices.ContainsFunc(calls, func(c call) bool {
		return slices.ContainsFunc(m.clean, func(words []string) bool {
			return c.name() == words[0] && len(c.words) > 1 && c.has(words[1]) && (len(words) < 3 || c.has(words[2]))
		})
	})
}

// switchedOn tells whether the value of a variable means yes.
func switchedOn(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "off", "false", "no":
		return false
	}
	return true
}

// removes tells whether c deletes dir or what is in it. An rm of something that only a shell can tell may do so.
func removes(c call, dir string) bool {
	if c.name() == "find" {
		return c.has("-delete") && len(c.words) > 1 && strings.HasPrefix(dir+"/", strings.TrimSuffix(c.words[1], "/")+"/")
	}
	if c.name() != "rm" {
		return false
	}
	for _, a := range c.words[1:] {
		a = strings.TrimSuffix(strings.TrimSuffix(a, "*"), "/")
		switch {
		case a == "" || strings.HasPrefix(a, "-"):
		case strings.HasPrefix(a, "~/"):
			if strings.HasPrefix(dir, "/root/"+a[2:]) {
				return true
			}
		case strings.HasPrefix(dir+"/", a+"/"):
			return true
		}
	}
	return false
}
