package sbom

import (
	"bytes"
	"strings"
)

// distro reads os-release(5), of the first place that has it.
func (c *collector) distro() {
	for _, p := range []string{"etc/os-release", "usr/lib/os-release"} {
		versions := c.tree.Versions(p)
		if len(versions) == 0 || versions[len(versions)-1].Data == nil {
			continue
		}
		if data, ok := c.text(versions[len(versions)-1], maxSmall); ok {
			c.found.Distro = parseOSRelease(data)
			return
		}
	}
}

func parseOSRelease(data []byte) Distro {
	values := map[string]string{}
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		key, value, ok := strings.Cut(strings.TrimSpace(string(line)), "=")
		if ok && !strings.HasPrefix(key, "#") && len(value) <= maxField {
			values[key] = printable(unquote(value))
		}
	}
	d := Distro{ID: values["ID"], VersionID: values["VERSION_ID"], Name: values["PRETTY_NAME"], Like: values["ID_LIKE"], CPE: values["CPE_NAME"]}
	if d.Name == "" {
		d.Name = strings.TrimSpace(values["NAME"] + " " + d.VersionID)
	}
	return d
}

// unquote takes a shell's quotes off a value.
func unquote(s string) string {
	if n := len(s); n >= 2 && s[0] == s[n-1] && (s[0] == '\'' || s[0] == '"') {
		quote := s[0]
		if s = s[1 : n-1]; quote == '\'' {
			return s
		}
	}
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\$`, `$`, "\\`", "`").Replace(s)
}

// printable leaves out what no name has.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
