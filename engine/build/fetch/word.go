package fetch

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
	host, tail := redactUser(scheme, rest)
	return scheme + "://" + host + redactQuery(word, tail)
}

// redactUser splits what follows the scheme into host and the rest. It does so by hand, since url.Parse refuses words that nevertheless hold a password.
func redactUser(scheme, rest string) (host, tail string) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host, tail = rest[:end], rest[end:]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		user := hidden + ":" + hidden
		if strings.EqualFold(scheme, "ssh") && !strings.Contains(host[:at], ":") {
			user = host[:at]
		}
		return user + host[at:], tail
	}
	// A password may hold the signs that end a host although it must not: what looks like a path may be the rest of it.
	if at := strings.LastIndexByte(tail, '@'); at >= 0 && strings.Contains(host, ":") && !port(host) {
		return hidden + ":" + hidden, tail[at:]
	}
	return host, tail
}

// RedactText is Redact for every address in a text, such as a line of a Dockerfile.
func RedactText(text string) string { return eachAddress(text, Redact) }

// HideUsers takes users and passwords out of all addresses in a text, and leaves their queries.
func HideUsers(text string) string {
	return eachAddress(text, func(word string) string {
		scheme, rest, _ := strings.Cut(word, "://")
		host, tail := redactUser(scheme, rest)
		return scheme + "://" + host + tail
	})
}

// eachAddress replaces what begins with letters and "://" and goes on to the next blank or quotation mark.
func eachAddress(text string, replace func(string) string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	var b strings.Builder
	for text != "" {
		end := strings.IndexAny(text, " \t\r\n\"'")
		if end < 0 {
			end = len(text)
		}
		word := text[:end]
		for word != "" {
			next := nextAddress(word)
			if hasScheme(word) {
				b.WriteString(replace(word[:next]))
			} else {
				b.WriteString(word[:next])
			}
			word = word[next:]
		}
		if end < len(text) {
			b.WriteByte(text[end])
			end++
		}
		text = text[end:]
	}
	return b.String()
}

// nextAddress is where in word the next address begins, after the first byte; the end of word if none does.
func nextAddress(word string) int {
	from := 1
	if hasScheme(word) {
		from = strings.Index(word, "://") + 3
	}
	i := strings.Index(word[from:], "://")
	if i < 0 {
		return len(word)
	}
	i += from
	for i > from && alphanumeric(word[i-1:i]) {
		i--
	}
	return i
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
