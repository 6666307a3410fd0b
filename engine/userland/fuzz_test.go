package userland

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
)

func FuzzSedScript(f *testing.F) {
	for _, s := range []string{"s/a/b/g", "2,3d", "/x/,$!{p;q}", ":a;s/x/y/;ta", "y/abc/xyz/", "1~2p", `s/\(a\)/\1\U&/2w f`, "a\\\ntext", "$!N;P;D", "s/[/]/x/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) { parseSed(script, len(script)%2 == 0) })
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"a*", `\(a\|b\)*`, "[]a]", "[^]-]", "[[:alpha:]-]", "a{2,3}", `x\{2\}`, "*a", "(", "[a", `\<w\>`} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, pattern string, extended bool) {
		if text, err := toGo(pattern, extended); err == nil {
			regexp.Compile(text)
		}
	})
}

func FuzzPrintf(f *testing.F) {
	f.Add("%s %5.2f %-3d\\n\\x41", "a", "1.5")
	f.Add("%*d%%%b\\c", "3", "\\0101")
	f.Add("%'q", "", "x")
	f.Fuzz(func(t *testing.T, format, a, b string) {
		var out bytes.Buffer
		runPrintf(&task{Env: Env{Stdout: &out, Stderr: &out}, ctx: context.Background(), name: "printf"}, []string{format, a, b})
	})
}

func FuzzTest(f *testing.F) {
	f.Add("! ( a = b ) -o -n x")
	f.Add("1 -lt 2 -a -z")
	f.Fuzz(func(t *testing.T, expr string) {
		var out bytes.Buffer
		runTest(&task{Env: Env{Stdout: &out, Stderr: &out, FS: osFS{}}, ctx: context.Background(), name: "test"}, strings.Fields(expr))
	})
}

func FuzzMode(f *testing.F) {
	f.Add("u+rwx,go=")
	f.Add("0755")
	f.Fuzz(func(t *testing.T, mode string) { applyMode(mode, 0o644, 0o22) })
}
