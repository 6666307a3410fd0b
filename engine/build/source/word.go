package source

import (
	"net/url"
	"os"
	"strings"
)

// Kind is what a word stands for.
type Kind uint8

// The kinds of words.
const (
	Local Kind = iota // a path
	Stdin             // "-"
	Repo              // a git repository
	URL               // a file on an HTTP server
)

// Classify tells what the source of an ADD stands for, as BuildKit does: a git repository in any form that can't be a path, or a file on an HTTP
// server. An error means a git repository whose address can't be.
func Classify(word string) (Kind, error) {
	g, ok, err := ParseGit(word)
	switch {
	case ok && (err != nil || !g.bare):
		return Repo, err
	case httpURL(word):
		return URL, nil
	}
	return Local, nil
}

// ClassifyContext tells what the word after docker build stands for: a folder that is there counts before everything else, and
// github.com/owner/name is a repository.
func ClassifyContext(word string) (Kind, error) {
	if word == "-" {
		return Stdin, nil
	}
	if fi, err := os.Stat(word); err == nil && fi.IsDir() {
		return Local, nil
	}
	if _, ok, err := ParseGit(word); ok {
		return Repo, err
	}
	if httpURL(word) {
		return URL, nil
	}
	return Local, nil
}

func httpURL(word string) bool {
	return strings.HasPrefix(word, "http://") || strings.HasPrefix(word, "https://")
}

const hidden = "xxxxx"

// Redact returns word without what may be a credential in it: user and password, and for a file on an HTTP server the query, which is where
// signed addresses have their signature. Words that are no addresses stay as they are.
func Redact(word string) string {
	scheme, rest, ok := strings.Cut(word, "://")
	if !ok || !alphanumeric(scheme) {
		return word
	}
	// By hand, since url.Parse refuses words that nevertheless hold a password. The last "@" before the path ends the user.
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	// A password may hold these signs although it must not: what looks like a path may be the rest of it.
	host, tail := rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user := hidden + ":" + hidden
		if strings.EqualFold(scheme, "ssh") && !strings.Contains(host[:at], ":") {
			user = host[:at]
		}
		host = user + host[at:]
	} else if at := strings.LastIndexByte(tail, '@'); at >= 0 && strings.Contains(host, ":") && !port(host) {
		host, tail = hidden+":"+hidden, tail[at:]
	}
	return scheme + "://" + host + redactQuery(scheme+"://"+rest, tail)
}

// port tells whether host ends in a port, or is an IPv6 address.
func port(host string) bool {
	i := strings.LastIndexByte(host, ':')
	return strings.Trim(host[i+1:], "0123456789") == "" || strings.HasSuffix(host, "]")
}

func redactQuery(word, tail string) string {
	i := strings.IndexByte(tail, '?')
	if i < 0 || strings.Contains(tail[:i], "#") {
		return tail
	}
	if _, ok, err := parseGit(word); ok && err == nil {
		return tail // ref=, subdir= and the like
	}
	query, fragment, ok := strings.Cut(tail[i+1:], "#")
	if query != "" {
		query = hidden
	}
	if ok {
		query += "#" + fragment
	}
	return tail[:i] + "?" + query
}

func alphanumeric(s string) bool {
	for _, c := range []byte(s) {
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// withoutUser splits the credentials off an address.
func withoutUser(u *url.URL) (*url.URL, *url.Userinfo) {
	bare := *u
	bare.User = nil
	return &bare, u.User
}
