package world

import "strings"

const (
	defaultDomain = "docker.io"
	officialRepo  = "library/"
	defaultTag    = "latest"
)

// FullName gives the full form of an image name: debian becomes docker.io/library/debian:latest. It does not
// check the name.
func FullName(name string) string {
	name, digest, _ := strings.Cut(name, "@")
	domain, path := splitDomain(name)
	if domain == defaultDomain && !strings.ContainsRune(path, '/') {
		path = officialRepo + path
	}
	if !strings.ContainsRune(path, ':') {
		path += ":" + defaultTag
	}
	name = domain + "/" + path
	if digest != "" {
		name += "@" + digest
	}
	return name
}

// FamiliarName gives the form that docker shows: docker.io/library/debian:12 becomes debian:12.
func FamiliarName(full string) string {
	domain, path := splitDomain(full)
	if domain != defaultDomain {
		return full
	}
	rest := strings.TrimPrefix(path, officialRepo)
	if strings.ContainsRune(rest, '/') {
		return path
	}
	return rest
}

// splitDomain splits a name at its first slash when what stands before it looks like a host.
func splitDomain(name string) (domain, path string) {
	first, rest, ok := strings.Cut(name, "/")
	host := strings.ContainsAny(first, ".:") || first == "localhost" || strings.ToLower(first) != first
	if !ok || !host {
		return defaultDomain, name
	}
	if first == "index.docker.io" {
		first = defaultDomain
	}
	return first, rest
}
