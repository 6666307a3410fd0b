package docker

import (
	"net/netip"
	"strings"
)

// checkedList is the value of a flag that may be given several times; check says what is kept of a word, and what is wrong with it.
type checkedList struct {
	words *[]string
	check func(word string) (string, error)
}

// String implements pflag.Value.
func (l *checkedList) String() string { return "" }

// Type implements pflag.Value.
func (l *checkedList) Type() string { return "list" }

// Set implements pflag.Value.
func (l *checkedList) Set(word string) error {
	kept, err := l.check(word)
	if err == nil {
		*l.words = append(*l.words, kept)
	}
	return err
}

// checkHost reads NAME:IP or NAME=IP, where IP may be host-gateway, and gives docker's form NAME:IP.
func checkHost(word string) (string, error) {
	name, ip, ok := strings.Cut(word, "=")
	if !ok {
		name, ip, ok = strings.Cut(word, ":")
	}
	if !ok || name == "" {
		return "", usagef("bad format for add-host: %q", word)
	}
	if len(ip) > 2 && ip[0] == '[' && ip[len(ip)-1] == ']' {
		ip = ip[1 : len(ip)-1]
	}
	if _, err := netip.ParseAddr(ip); err != nil && ip != "host-gateway" {
		return "", usagef("invalid IP address in add-host: %q", ip)
	}
	return name + ":" + ip, nil
}

func checkServer(word string) (string, error) {
	a, err := netip.ParseAddr(strings.TrimSpace(word))
	if err != nil {
		return "", usagef("IP address is not correctly formatted: %s", word)
	}
	return a.String(), nil
}

// checkDomain takes a name of letters, digits, hyphens and underscores between dots, of which not all are digits; a dot alone means no domain at all.
func checkDomain(word string) (string, error) {
	word = strings.Trim(word, " ")
	if word == "." {
		return word, nil
	}
	name := strings.TrimSuffix(word, ".")
	ok := len(word) <= 255 && strings.ContainsAny(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz")
	for _, label := range strings.Split(name, ".") {
		ok = ok && label != "" && len(label) <= 63 && strings.Trim(label, "-") == label &&
			strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
	}
	if !ok {
		return "", usagef("%s is not a valid domain", word)
	}
	return word, nil
}

// checkLink takes CONTAINER or CONTAINER:ALIAS.
func checkLink(word string) (string, error) {
	switch {
	case word == "":
		return "", usagef("empty string specified for links")
	case strings.Count(word, ":") > 1:
		return "", usagef("bad format for links: %s", word)
	}
	return word, nil
}
