package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Git is the address of a folder in a git repository, as BuildKit writes it: REMOTE#REF:SUBDIR, or REMOTE?branch=REF&subdir=SUBDIR.
type Git struct {
	Remote        string // what the git program is given, without credentials
	Ref           string // branch, tag, commit or a name below refs/; empty: the default branch
	Subdir        string // clean and relative; empty: all of it
	Checksum      string // commit or tag object, in hexadecimal digits, at least the first ones
	KeepGitDir    *bool
	NoSubmodules  bool
	FetchByCommit bool // Checksum is fetched itself, whatever Ref is today
	CheckoutTimes bool // files have the time of the checkout instead of the commit's

	user *url.Userinfo // for the server
	name string        // as it was written, redacted
	bare bool          // github.com/owner/name, which may be a path as well
}

// String is the address as it was written, without credentials.
func (g Git) String() string { return g.name }

// ParseGit reads the address of a repository: https://host/name.git (and http), git://, ssh://, user@host:path, or github.com/owner/name, each
// with #ref:subdir or a query. ok is false for a word that is no such address; with ok, err says what is wrong with it.
func ParseGit(word string) (g Git, ok bool, err error) {
	if g, ok, err = parseGit(word); !ok {
		return Git{}, false, nil
	}
	if err != nil {
		return Git{}, true, fmt.Errorf("git repository %s: %w", redactLoosely(word), err)
	}
	g.name = Redact(word)
	return g, true, nil
}

func parseGit(word string) (g Git, ok bool, err error) {
	switch {
	case strings.HasPrefix(word, "./"), strings.HasPrefix(word, "../"):
		return Git{}, false, nil
	case strings.HasPrefix(word, "github.com/"):
		g.bare = true
		ok, err = g.parseURL("https://" + word)
	case hasScheme(word):
		ok, err = g.parseURL(word)
	default:
		ok, err = g.parseSCP(word)
	}
	if ok && err == nil {
		err = g.check()
	}
	return g, ok, err
}

// redactLoosely is Redact for a word that is known to be wrong, without a look at whether it is a git address.
func redactLoosely(word string) string {
	if i := strings.IndexByte(word, '?'); i >= 0 {
		return Redact(word[:i]) + word[i:]
	}
	return Redact(word)
}

func hasScheme(word string) bool {
	scheme, _, ok := strings.Cut(word, "://")
	return ok && alphanumeric(scheme)
}

func (g *Git) parseURL(word string) (bool, error) {
	scheme, _, _ := strings.Cut(word, "://")
	scheme = strings.ToLower(scheme)
	if !slices.Contains([]string{"http", "https", "git", "ssh"}, scheme) {
		return false, nil
	}
	u, err := url.Parse(word)
	if err != nil {
		return false, nil
	}
	if !g.bare && (scheme == "http" || scheme == "https") && !strings.HasSuffix(u.Path, ".git") {
		return false, nil
	}
	g.setFragment(u.Fragment)
	query := u.Query()
	u.Fragment, u.RawFragment, u.RawQuery, u.ForceQuery = "", "", "", false
	if scheme == "ssh" {
		if _, secret := u.User.Password(); secret {
			return true, errors.New("ssh takes no password in an address: use a key")
		}
		g.Remote = u.String()
	} else {
		u, g.user = withoutUser(u)
		g.Remote = u.String()
	}
	if u.Host == "" || strings.HasPrefix(u.Host, "-") || strings.HasPrefix(u.User.Username(), "-") {
		return true, errors.New("the host's name can't be")
	}
	return true, g.setQuery(query)
}

// parseSCP reads user@host:path as ssh has it.
func (g *Git) parseSCP(word string) (bool, error) {
	user, rest, ok := strings.Cut(word, "@")
	if !ok || !wordOf(user, "-_") {
		return false, nil
	}
	host, rest, ok := strings.Cut(rest, ":")
	if !ok || !wordOf(host, "-.") || strings.Contains(rest, "\n") {
		return false, nil
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	repo, query, _ := strings.Cut(rest, "?")
	g.setFragment(fragment)
	g.Remote = user + "@" + host + ":" + repo
	if strings.HasPrefix(host, "-") || strings.HasPrefix(user, "-") {
		return true, errors.New("the host's name can't be")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return false, nil
	}
	return true, g.setQuery(values)
}

// wordOf tells whether s has letters, digits and the signs of more only.
func wordOf(s, more string) bool {
	return alphanumeric(strings.Map(func(r rune) rune {
		if strings.ContainsRune(more, r) {
			return '0'
		}
		return r
	}, s))
}

func (g *Git) setFragment(fragment string) {
	g.Ref, g.Subdir, _ = strings.Cut(fragment, ":")
}

func (g *Git) setQuery(query url.Values) error {
	var tag, branch string
	for _, key := range sortedKeys(query) {
		values := query[key]
		if len(values) > 1 {
			return fmt.Errorf("query %q has multiple values", key)
		}
		v := values[0]
		if v == "" && key != "submodules" && key != "keep-git-dir" && key != "fetch-by-commit" {
			return fmt.Errorf("query %q has no value", key)
		}
		var err error
		switch key {
		case "ref":
			err = agree(&g.Ref, "ref", v)
		case "subdir":
			err = agree(&g.Subdir, "subdir", v)
		case "tag":
			tag = v
		case "branch":
			branch = v
		case "checksum", "commit":
			err = agree(&g.Checksum, "checksum", v)
		default:
			err = g.setSwitch(key, v)
		}
		if err != nil {
			return err
		}
	}
	if tag != "" && branch != "" {
		return errors.New("branch conflicts with tag: give one of them")
	}
	if tag != "" {
		return agree(&g.Ref, "ref", "refs/tags/"+strings.TrimPrefix(tag, "refs/tags/"))
	}
	if branch != "" {
		return agree(&g.Ref, "ref", "refs/heads/"+strings.TrimPrefix(branch, "refs/heads/"))
	}
	return nil
}

func sortedKeys(query url.Values) []string {
	keys := make([]string, 0, len(query))
	for k := range query {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func agree(to *string, what, v string) error {
	if *to != "" && *to != v {
		return fmt.Errorf("%s conflicts: %q vs %q", what, *to, v)
	}
	*to = v
	return nil
}

func (g *Git) setSwitch(key, v string) error {
	if key == "mtime" {
		if v != "checkout" && v != "commit" {
			return fmt.Errorf("invalid mtime value: %q (must be \"checkout\" or \"commit\")", v)
		}
		g.CheckoutTimes = v == "checkout"
		return nil
	}
	if key != "keep-git-dir" && key != "submodules" && key != "fetch-by-commit" {
		return fmt.Errorf("unexpected query %q: known are ref, tag, branch, subdir, checksum, keep-git-dir, submodules, mtime and fetch-by-commit", key)
	}
	on := true
	if v != "" {
		var err error
		if on, err = strconv.ParseBool(v); err != nil {
			return fmt.Errorf("invalid %s value: %q", key, v)
		}
	}
	switch key {
	case "keep-git-dir":
		g.KeepGitDir = &on
	case "submodules":
		g.NoSubmodules = !on
	case "fetch-by-commit":
		g.FetchByCommit = on
	}
	return nil
}

// check refuses what would mean something else to the git program, or lead out of the repository.
func (g *Git) check() error {
	if strings.HasPrefix(g.Remote, "-") || strings.ContainsFunc(g.Remote, control) {
		return errors.New("the address can't be")
	}
	if err := checkRef(g.Ref); err != nil {
		return err
	}
	if g.Checksum != "" && (!hexadecimal(g.Checksum) || len(g.Checksum) > 64) {
		return fmt.Errorf("invalid checksum %q: expected the hexadecimal digits of a commit", g.Checksum)
	}
	g.Checksum = strings.ToLower(g.Checksum)
	if g.FetchByCommit && !CommitID(g.Checksum) && !CommitID(g.Ref) {
		return errors.New("fetch-by-commit needs the whole id of a commit as checksum")
	}
	if slices.Contains(strings.Split(strings.ReplaceAll(g.Subdir, `\`, "/"), "/"), "..") || strings.ContainsFunc(g.Subdir, control) {
		return fmt.Errorf("subfolder %q leads out of the repository", g.Subdir)
	}
	g.Subdir = strings.TrimPrefix(path.Join("/", g.Subdir), "/")
	return nil
}

// checkRef holds a name to the rules of git check-ref-format, so that it is never an option, a pattern, or one half of a refspec.
func checkRef(ref string) error {
	if ref == "" {
		return nil
	}
	if strings.HasPrefix(ref, "-") || strings.HasPrefix(ref, "+") || strings.HasPrefix(ref, "/") || strings.HasSuffix(ref, "/") || strings.HasSuffix(ref, ".lock") ||
		strings.Contains(ref, "..") || strings.Contains(ref, "@{") || strings.Contains(ref, "//") || strings.ContainsAny(ref, " ~^:?*[\\") || strings.ContainsFunc(ref, control) {
		return fmt.Errorf("invalid git ref %q", ref)
	}
	return nil
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

func hexadecimal(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// CommitID tells whether s is the whole id of a commit, SHA-1 or SHA-256.
func CommitID(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// SetChecksum adds what a flag says the commit must be; the address must not say otherwise.
func (g *Git) SetChecksum(sum string) error {
	if sum == "" {
		return nil
	}
	if g.Checksum != "" && g.Checksum != strings.ToLower(sum) {
		return fmt.Errorf("checksum mismatch %q != %q: the flag and the address say different things", sum, g.Checksum)
	}
	g.Checksum = sum
	return g.check()
}
