package lint

import (
	"net/url"
	"regexp"
	"strings"
)

// remote tells whether a source of ADD is downloaded rather than taken from the build context: a URL, or a Git repository.
func remote(source string) bool { return isURL(source) || isGit(source) }

// isGit tells whether a source of ADD is a Git repository, by BuildKit's rules: git:// and ssh:// always are, http:// and https:// if the
// path ends in .git, and user@host:path. It is not checked whether what may follow a # names a ref and a folder.
func isGit(source string) bool {
	scheme, _, ok := strings.Cut(source, "://")
	if !ok {
		return !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") && scpLike.MatchString(source)
	}
	switch scheme {
	case "git", "ssh":
		return true
	case "http", "https":
		u, err := url.Parse(source)
		return err == nil && strings.HasSuffix(u.Path, ".git")
	}
	return false
}

var scpLike = regexp.MustCompile(`^[a-zA-Z0-9_-]+@[a-zA-Z0-9.-]+:.+$`)

func isURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}
