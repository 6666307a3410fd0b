package vuln

import (
	"strings"
	"testing"
)

// The tables are ordered lists and pairs out of the tests of the tools themselves: dpkg's t-version.c, rpm's rpmvercmp.at, apk-tools'
// version.data, the lists of PEP 440 and semver.org.
func TestPairs(t *testing.T) {
	for _, tc := range []struct {
		name   string
		scheme Scheme
		pairs  string
	}{
		{"dpkg", CompareDpkg, `1:0 = 1:0-0; 0 = 0:0; 1:1 > 0:2; 1.0 < 1.0-1; 1.0~rc1 < 1.0; 1.0~~ < 1.0~; 1.0~ < 1.0; 1.0 < 1.0+b1; 1.0-1 < 1.0-1.1; 2.36-9+deb12u1 > 2.36-9;
			1.2.3-1 < 1.2.3-2; 1.10 > 1.9; 1.0a < 1.0+; 1.0a < 1.0.; 0:0-0-0 > 0-0; 001 = 1; 1.0-0 = 1.0; 7.6p2-4 > 7.6-0; 1~deb1 < 1; 4.13+dfsg1-1 > 4.13-1`},
		{"rpm", CompareRPM, `1.0 = 1.0; 1.0 < 2.0; 2.0.1 = 2.0.1; 2.0 < 2.0.1; 2.0.1a > 2.0.1; 5.5p1 < 5.5p2; 5.5p10 > 5.5p1; 10xyz < 10.1xyz; xyz10 < xyz10.1; xyz.4 < 8; 5.5p2 < 5.6p1; 6.5p1 > 5.6p1;
			6.0.rc1 > 6.0; 10b2 > 10a1; 1.0aa > 1.0a; 10.0001 = 10.1; 10.0001 < 10.0039; 4.999.9 < 5.0; 20101121 < 20101122; 2_0 = 2.0; a+ = a_; 1.0~rc1 < 1.0; 1.0~rc1 < 1.0~rc2; 1.0~rc1~git123 < 1.0~rc1;
			1.0^ > 1.0; 1.0^git1 < 1.0^git2; 1.0^git1 < 1.01; 1.0^20160101 < 1.0.1; 1.0^20160101^git1 > 1.0^20160101; 1.0~rc1^git1 > 1.0~rc1; 1.0^git1~pre < 1.0^git1; 1:1 > 2; 1.0-3 > 1.0-2; 1.0-3 = 1.0; 1b.fc17 = 1b.fc17; 1g.fc17 > 1.fc17`},
		{"apk", CompareApk, `2.34 > 0.1.0_alpha; 0.1.0_alpha = 0.1.0_alpha; 0.1.0_alpha < 0.1.3_alpha; 0.1.0_alpha > 0.1.0_alpha0-r0a < 2; 1.1.6 > 1.1.6_alpha2; 1.2.4-r2 > 1.2.4-r1; 1.0 < 1.0.1; 1.0a > 1.0; 1.0b > 1.0a;
			1.0_p1 > 1.0; 1.0_rc1 < 1.0; 1.0_rc2 > 1.0_pre3; 1.0_git20200101 > 1.0; 3.0.11-r0 > 3.0.9-r4; 1.02 < 1.1; 0.12.1 > 0.012; 1.0_p10 > 1.0_p9; 1.0-r0 = 1.0`},
		{"semver", CompareSemver, `1.0.0-alpha < 1.0.0-alpha.1; 1.0.0-alpha.1 < 1.0.0-alpha.beta; 1.0.0-alpha.beta < 1.0.0-beta; 1.0.0-beta < 1.0.0-beta.2; 1.0.0-beta.2 < 1.0.0-beta.11; 1.0.0-beta.11 < 1.0.0-rc.1;
			1.0.0-rc.1 < 1.0.0; v1.0.0 = 1.0.0; 1.0.0+a = 1.0.0+b; 1.2 = 1.2.0; 1.10.0 > 1.9.9; 0.0.0-20210101000000-abcdefabcdef < 0.1.0; 1.0.0--1 > 1.0.0-1`},
		{"PEP 440", ComparePEP440, `1.dev0 < 1.0.dev456; 1.0.dev456 < 1.0a1; 1.0a1 < 1.0a2.dev456; 1.0a2.dev456 < 1.0a12.dev456; 1.0a12.dev456 < 1.0a12; 1.0a12 < 1.0b1.dev456; 1.0b1.dev456 < 1.0b2; 1.0b2 < 1.0b2.post345.dev456;
			1.0b2.post345.dev456 < 1.0b2.post345; 1.0b2.post345 < 1.0rc1.dev456; 1.0rc1.dev456 < 1.0rc1; 1.0rc1 < 1.0; 1.0 < 1.0+abc.5; 1.0+abc.5 < 1.0+abc.7; 1.0+abc.7 < 1.0+5; 1.0+5 < 1.0.post456.dev34; 1.0.post456.dev34 < 1.0.post456;
			1.0.post456 < 1.1.dev1; 1.0 = 1.0.0; 1!1.0 > 2.0; 1.0-1 = 1.0.post1; 1.0.RC1 = 1.0c1; v1.0 = 1.0; 1.0alpha1 = 1.0a1; 2012.4 > 1.9`},
	} {
		for pair := range strings.SplitSeq(strings.NewReplacer("\n", " ", "\t", " ").Replace(tc.pairs), ";") {
			w := strings.Fields(pair)
			if len(w) != 3 {
				continue
			}
			want := map[string]int{"<": -1, "=": 0, ">": 1}[w[1]]
			if got := tc.scheme(w[0], w[2]); got != want {
				t.Errorf("%s: %s: got %d", tc.name, pair, got)
			}
			if got := tc.scheme(w[2], w[0]); got != -want {
				t.Errorf("%s: %s, the other way round: got %d", tc.name, pair, got)
			}
		}
	}
}

func TestGoVersion(t *testing.T) {
	for in, want := range map[string]string{"1.22": "1.22.0", "1.22.1": "1.22.1", "1.22rc1": "1.22.0-rc.1", "1.21.0-custom": "1.21.0-custom"} {
		if got := GoVersion(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// Whatever is compared: the other way round it is the opposite, and with itself the same.
func FuzzCompare(f *testing.F) {
	for _, s := range []string{"1.0", "1:1.0~rc1-2", "1.0a1.post2.dev3+x.1", "1.2_alpha3-r4", "v1.0.0-rc.1+b", "^1~^"} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for i, c := range []Scheme{CompareDpkg, CompareRPM, CompareApk, CompareSemver, ComparePEP440} {
			if x, y := c(a, b), c(b, a); x != -y {
				t.Errorf("scheme %d: %q, %q: %d and %d", i, a, b, x, y)
			}
			if x := c(a, a); x != 0 {
				t.Errorf("scheme %d: %q with itself: %d", i, a, x)
			}
		}
	})
}
