package standard

import "strings"

// NameOptions describe the bind mount of each file of names.
const NameOptions = "rbind,nodev"

// NameFile is a file of the container's folder that is mounted over the image's file in /etc.
type NameFile struct {
	Name    string // in /etc
	Content string // of a new one
	Keep    bool   // one that is there already stays as it is
}

// HostLines are further lines of /etc/hosts for what is given as NAME:ADDRESS.
func HostLines(hosts []string) string {
	lines := ""
	for _, h := range hosts {
		name, address, _ := strings.Cut(h, ":")
		lines += address + "\t" + name + "\n"
	}
	return lines
}

// NameFiles are the files of names of a container, in the order in which they are mounted.
func NameFiles(hostname string) []NameFile {
	hosts := "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\n" +
		"ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n127.0.0.1\t" + hostname + "\n"
	return []NameFile{{Name: "hosts", Content: hosts}, {Name: "hostname", Content: hostname + "\n"},
		{Name: "resolv.conf", Content: "# no network\n", Keep: true}}
}
