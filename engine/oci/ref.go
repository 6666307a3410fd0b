package oci

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
)

const (
	defaultDomain = "docker.io"
	legacyDomain  = "index.docker.io"
	official      = "library/"
	defaultTag    = "latest"
	maxPath       = 255
	maxTag        = 128
)

// Errors of ParseRef and ParseName, in docker's words.
var (
	ErrRefFormat    = errors.New("invalid reference format")
	ErrRefUppercase = errors.New("invalid reference format: repository name must be lowercase")
	ErrRefTooLong   = errors.New("repository name must not be more than 255 characters")
)

// Ref is a normalised name of an image: a repository with a tag, a digest, or both. The zero Ref names nothing. Refs are
// comparable.
type Ref struct {
	domain, path string
	tag          string
	digest       digest.Digest
}

// ParseRef reads a name as docker does: "debian" means docker.io/library/debian:latest. The grammar is that of
// github.com/distribution/reference, to which a fuzz test compares it; that package compiles its expressions at every
// process start, which costs more than a container's clone. Of digests only sha256 is accepted.
func ParseRef(s string) (Ref, error) {
	r, err := ParseName(s)
	if err == nil && r.tag == "" && r.digest == "" {
		r.tag = defaultTag
	}
	return r, err
}

// ParseName is ParseRef without the default tag: a repository alone stays a repository alone.
func ParseName(s string) (Ref, error) {
	if len(s) == hexLength && isHex(s) {
		return Ref{}, fmt.Errorf("invalid repository name (%s), cannot specify 64-byte hexadecimal strings", s)
	}
	domain, rest := splitDomain(s)
	if remote, _, _ := strings.Cut(rest, ":"); strings.ToLower(remote) != remote {
		return Ref{}, fmt.Errorf("invalid reference format: repository name (%s) must be lowercase", remote)
	}
	name, digested, hasDigest := strings.Cut(rest, "@")
	var r Ref
	var hasTag bool
	r.path, r.tag, hasTag = strings.Cut(name, ":")
	if hasTag && !isTag(r.tag) {
		return Ref{}, ErrRefFormat
	}
	if hasDigest {
		r.digest = digest.Digest(digested)
		if err := CheckDigest(r.digest); err != nil {
			return Ref{}, fmt.Errorf("%w: %w", ErrRefFormat, err)
		}
	}
	if isDomain(domain) {
		r.domain = domain
	} else {
		r.path = domain + "/" + r.path
	}
	if !isPath(r.path) {
		return Ref{}, formatError(s)
	}
	if len(r.path) > maxPath {
		return Ref{}, ErrRefTooLong
	}
	return r, nil
}

// formatError tells the most common mistake from the others.
func formatError(s string) error {
	if lower := strings.ToLower(s); lower != s {
		if _, err := ParseName(lower); err == nil {
			return ErrRefUppercase
		}
	}
	return ErrRefFormat
}

// splitDomain tells a registry from the first part of a path: it has a dot or a colon, is localhost, or is not lower case.
func splitDomain(s string) (domain, rest string) {
	first, after, ok := strings.Cut(s, "/")
	if !ok {
		return defaultDomain, official + s
	}
	switch {
	case first == legacyDomain:
		domain, rest = defaultDomain, after
	case first == "localhost", strings.ContainsAny(first, ".:"), strings.ToLower(first) != first:
		domain, rest = first, after
	default:
		domain, rest = defaultDomain, s
	}
	if domain == defaultDomain && !strings.Contains(rest, "/") {
		rest = official + rest
	}
	return domain, rest
}

func isTag(s string) bool {
	if s == "" || len(s) > maxTag || s[0] == '.' || s[0] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return true
}

// isPath accepts components of [a-z0-9]+ joined by slashes; inside one, a dot, one or two underscores, or any number of
// dashes may separate.
func isPath(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if !isComponent(part) {
			return false
		}
	}
	return true
}

func isComponent(s string) bool {
	if s == "" || !isLowerAlnum(s[0]) || !isLowerAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); {
		if isLowerAlnum(s[i]) {
			i++
			continue
		}
		n := 1
		for s[i+n] == s[i] {
			n++
		}
		one := s[i] == '.' || s[i] == '_'
		if !one && s[i] != '-' || s[i] == '.' && n > 1 || s[i] == '_' && n > 2 || !isLowerAlnum(s[i+n]) {
			return false
		}
		i += n
	}
	return true
}

// isDomain accepts host names, IPv4 addresses and IPv6 addresses in brackets, each with or without a port.
func isDomain(s string) bool {
	host := s
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host = s[:i]
		if port := s[i+1:]; port == "" || strings.Trim(port, "0123456789") != "" {
			return false
		}
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		addr := host[1 : len(host)-1]
		return addr != "" && strings.Trim(addr, "0123456789abcdefABCDEF:") == ""
	}
	for label := range strings.SplitSeq(host, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if s == "" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// IsID reports that s is a whole digest, with or without its algorithm: an image's id, which is no name.
func IsID(s string) bool {
	return CheckDigest(digest.Digest(s)) == nil || CheckDigest(digest.Digest("sha256:"+s)) == nil
}

func isLowerAlnum(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }
func isAlnum(c byte) bool      { return isLowerAlnum(c) || 'A' <= c && c <= 'Z' }

// IsZero reports that the Ref names nothing.
func (r Ref) IsZero() bool { return r.path == "" }

// Equal reports that both name the same.
func (r Ref) Equal(other Ref) bool { return r == other }

// Tag is the tag, or empty.
func (r Ref) Tag() string { return r.tag }

// Digest is the digest of the manifest meant, or empty.
func (r Ref) Digest() digest.Digest { return r.digest }

// Domain is the registry's host, perhaps with a port: "docker.io"; empty if the name has none.
func (r Ref) Domain() string { return r.domain }

// Path is the repository within its registry: "library/debian".
func (r Ref) Path() string { return r.path }

// WithTag is the same repository with that tag and no digest. The tag must be one that ParseRef accepts.
func (r Ref) WithTag(tag string) Ref { return Ref{domain: r.domain, path: r.path, tag: tag} }

// WithDigest is the same repository with that digest and no tag. The digest must be well formed.
func (r Ref) WithDigest(d digest.Digest) Ref { return Ref{domain: r.domain, path: r.path, digest: d} }

// Name is the full repository: "docker.io/library/debian".
func (r Ref) Name() string {
	if r.domain == "" {
		return r.path
	}
	return r.domain + "/" + r.path
}

// Repository is the repository as docker shows it: "debian".
func (r Ref) Repository() string {
	if r.domain != defaultDomain {
		return r.Name()
	}
	if short, ok := strings.CutPrefix(r.path, official); ok && !strings.Contains(short, "/") {
		return short
	}
	return r.path
}

// String is the whole name: "docker.io/library/debian:12".
func (r Ref) String() string { return r.Name() + r.suffix() }

// Familiar is the name as docker shows it: "debian:12".
func (r Ref) Familiar() string { return r.Repository() + r.suffix() }

func (r Ref) suffix() string {
	var s string
	if r.tag != "" {
		s = ":" + r.tag
	}
	if r.digest != "" {
		s += "@" + string(r.digest)
	}
	return s
}
