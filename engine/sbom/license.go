package sbom

import (
	"slices"
	"strings"
)

// spdxIDs are the identifiers of the SPDX License List that packages have. One that is not among them is written as a name, which is
// right whatever it means.
const spdxIDs = ` 0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.0 Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-1.0-Perl Artistic-2.0
 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent BSD-2-Clause-Views BSD-3-Clause BSD-4-Clause BSD-4-Clause-UC BSL-1.0 BSD-Source-Code
 bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CECILL-2.1 curl ECL-2.0 EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL
 FSFULLR FTL GD GFDL-1.1-or-later GFDL-1.2-only GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later GPL-2.0-only
 GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND ICU IJG Info-ZIP ISC JSON LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later
 LGPL-3.0-only LGPL-3.0-or-later Libpng libtiff Linux-OpenIB LPPL-1.3c MIT MIT-0 MIT-CMU MIT-Modern-Variant MPL-1.0 MPL-1.1 MPL-2.0
 MPL-2.0-no-copyleft-exception MS-PL NCSA Net-SNMP NTP OFL-1.0 OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1
 Ruby SISSL Sleepycat SMLNJ SSH-OpenSSH SSH-short TCL TCP-wrappers Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 XFree86-1.1
 Xnet YPL-1.1 Zend-2.0 Zlib zlib-acknowledgement ZPL-2.1 `

const spdxExceptions = ` Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 Font-exception-2.0 GCC-exception-2.0 GCC-exception-3.1
 Libtool-exception Linux-syscall-note LLVM-exception OpenJDK-assembly-exception-1.0 openvpn-openssl-exception Qt-LGPL-exception-1.1 u-boot-exception-2.0 `

// isSPDX reports that a license is an SPDX license expression (SPDX 2.3, annex D) of identifiers that are known.
func isSPDX(s string) bool {
	p := &expression{words: strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s))}
	return len(p.words) > 0 && p.or(maxNested) && p.at == len(p.words)
}

func isSPDXID(s string) bool {
	return !strings.Contains(s, " ") && strings.Contains(fold(spdxIDs), " "+s+" ")
}

func fold(list string) string { return strings.ReplaceAll(list, "\n", "") }

// expression is a license expression while it is read.
type expression struct {
	words []string
	at    int
}

func (p *expression) accept(word string) bool {
	if p.at < len(p.words) && p.words[p.at] == word {
		p.at++
		return true
	}
	return false
}

func (p *expression) or(depth int) bool {
	ok := p.and(depth)
	for ok && p.accept("OR") {
		ok = p.and(depth)
	}
	return ok
}

func (p *expression) and(depth int) bool {
	ok := p.one(depth)
	for ok && p.accept("AND") {
		ok = p.one(depth)
	}
	return ok
}

func (p *expression) one(depth int) bool {
	if depth == 0 || p.at >= len(p.words) {
		return false
	}
	if p.accept("(") {
		return p.or(depth-1) && p.accept(")")
	}
	if !isSPDXID(p.words[p.at]) {
		return false
	}
	p.at++
	if !p.accept("WITH") {
		return true
	}
	p.at++
	return p.at <= len(p.words) && strings.Contains(fold(spdxExceptions), " "+p.words[p.at-1]+" ")
}

// declared are the licenses of packages, each once, those of SPDX apart from mere names.
func declared(list []Package) (known, names []string) {
	for _, p := range list {
		for _, l := range p.Licenses {
			into := &names
			if isSPDX(l) {
				into = &known
			}
			if !slices.Contains(*into, l) {
				*into = append(*into, l)
			}
		}
	}
	return known, names
}
