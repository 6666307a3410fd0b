package userland_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The shell on a machine of its own: what it prints and how it ends.
func TestShellOnItsOwnMachine(t *testing.T) {
	for _, c := range []struct{ script, want string }{
		{`echo a | cat`, "a\n"},
		{`printf 'b\na\nb\n' | sort | uniq -c | sed 's/^ *//'`, "1 a\n2 b\n"},
		{`x=5; f() { echo "f $1 $x"; }; f one | cat; echo "$x" | { read y; echo "[$y]"; }`, "f one 5\n[5]\n"},
		{`exit 3 | true; echo $?; true | exit 3; echo $?`, "0\n3\n"},
		{`set -o pipefail; exit 3 | true; echo $?; false | exit 4 | true; echo $?; true | true; echo $?`, "3\n4\n0\n"},
		{`set -eo pipefail; false | true; echo no`, "[001]"},
		{`! echo x | grep -q y; echo $?; ! true | true; echo $?`, "0\n1\n"},
		{`ls /nope 2>&1 | cat; ls /nope |& tr a-z A-Z`, "ls: cannot access '/nope': No such file or directory\nLS: CANNOT ACCESS '/NOPE': NO SUCH FILE OR DIRECTORY\n"},
		{`nosuch | cat; echo $?; echo hi | nosuch; echo $?`, "sh: nosuch: not found\n0\nsh: nosuch: not found\n127\n"},
		{`yes | head -n 2`, "y\ny\n"},
		{`while :; do echo y; done | head -n 1`, "y\n"},
		{`seq 5 | while read n; do echo "<$n>"; done | tail -n 2`, "<4>\n<5>\n"},
		{`x=$(seq 3 | tr '\n' ,); echo "$x"`, "1,2,3,\n"},
		{`x=$(sh -c 'echo out; echo err >&2' 2>&1); echo "[$x]"`, "[out\nerr]\n"},
		{`x=$(sleep 0.01 && echo late & echo soon); echo "$x"`, "soon\nlate\n"},
		{`x=$(echo a | (cat; echo b)); echo "$x"; echo "$(echo "it's" | cat)"`, "a\nb\nit's\n"},
		{`echo in | (read a; echo "$a"; exit 4); echo $?`, "in\n4\n"},
		{"cat <<X\nq \"d\" \\\"e\\\" \\$n 'l' $((1+1)) \\\\ \\x\nX", "q \"d\" \\\"e\\\" $n 'l' 2 \\ \\x\n"},
		{"cat <<'X'\n$no `no` \"q\" it's \\ \\\\ \\$\nX", "$no `no` \"q\" it's \\ \\\\ \\$\n"},
		{"v=1; cat <<-X | cat\n\ttab $v\n\t\ttwo\tin\n\tX", "tab 1\ntwo\tin\n"},
		{`cat <<<"a  b"; v='x  y'; cat <<<$v; read a b <<<'p q r'; echo "$b"`, "a  b\nx  y\nq r\n"},
		{"while read l; do echo \"<$l>\"; done <<X\none\ntwo\nX", "<one>\n<two>\n"},
		{`while read x; do echo "<$x>"; done < a`, "<one>\n<two>\n<three>\n"},
		{`{ read x; read y; cat; } < a; echo "$x $y"`, "three\none two\n"},
		{`exec < a; read x; echo "$x"; cat; read y; echo $?`, "one\ntwo\nthree\n1\n"},
		{`read x < a; echo $x; read -r y <a; echo $y; read -n 2 z <a; echo $z`, "one\none\non\n"},
		{`read; echo "$REPLY"; read -a w <<<'p q'; echo "${w[1]} ${#w[@]}"`, "typed  in \nq 2\n"},
		{`sleep 0.3 | { read -t 0.02 v; echo $?; }; (sleep 0.1; echo l1; echo l2) | { read -t 0.01 a; echo "$?[$a]"; read b; read -t 5 c; echo "$b $c"; }`, "142\n142[]\nl1 l2\n"},
		{`read -t 1 v <<<abc; echo "$v"; read -s p <<<secret; echo $p`, "abc\nsecret\n"},
		{`mapfile -t m < a; echo "${#m[@]} ${m[2]}"`, "3 three\n"},
		{`echo "$(<a)"; x=$(< b); echo "$x" | wc -l`, "one\ntwo\nthree\n3\n"},
		{`exec 3<a; read x <&3; read y <&3; echo "$x$y"; exec 3<&-; cat <&3`, "onetwo\nsh: 3: Bad file descriptor\n[001]"},
		{`exec 3>f 4>&3; echo x >&3; exec 3>&-; echo y >&4; cat f`, "x\ny\n"},
		{`exec 3>f; sh -c 'echo child >&3'; echo me >&3; cat f`, "child\nme\n"},
		{`{ echo o; echo e >&2; } 3>&1 1>&2 2>&3 | sed 's/^/piped /'`, "o\npiped e\n"},
		{`cat < a > c; cmp a c; echo more >> c; wc -l < c; cat 0<a | head -n 1`, "4\none\n"},
		{`echo err > /dev/stderr; echo out > /dev/stdout; { echo x > /dev/stderr; } 2>f; cat f; cat /dev/stdin < b | head -n 1`, "err\nout\nx\none\n"},
		{`cat <missing; echo $?; cat <missing | cat; echo after`, "sh: can't open missing: No such file or directory\n1\nsh: can't open missing: No such file or directory\nafter\n"},
		{`sleep 30 & kill $!; wait $!; echo $?`, "143\n"},
		{`f() { echo "f $1 $x"; }; x=1; f a & wait; echo done`, "f a 1\ndone\n"},
		{`{ echo a | cat; } & wait $!; echo $?; (exit 7) & wait $!; echo $?`, "a\n0\n7\n"},
		{`echo a | cat & wait; for i in 1 2 3; do sleep 0.0$i & done; wait; jobs; echo ok`, "a\nok\n"},
		{`(sleep 0.02; exit 3) & (sleep 0.2; exit 4) & wait -n; echo $?`, "3\n"},
		{`trap 'echo got; exit 5' TERM; kill -TERM $$; sleep 0.1; echo not here`, "got\n[005]"},
		{`trap 'echo bye' EXIT; echo hi | cat`, "hi\nbye\n"},
		{`trap 'echo usr' USR1; kill -USR1 $$; sleep 0.01; echo after`, "usr\nafter\n"},
		{`trap '' TERM; kill $$; sleep 0.01; echo alive; trap - TERM; kill $$; sleep 1; echo no`, "alive\n[143]"},
		{`sh -c 'kill -9 $$'; echo $?; (trap 'echo sub' EXIT; echo in); echo still`, "137\nin\nsub\nstill\n"},
		{`[ $$ = $(echo $$) ] && [ $$ = $(echo $$ | cat) ] && { echo $$; } | { read p; [ $p = $$ ] && echo same; }`, "same\n"},
		{`timeout 0.02 sleep 5; echo $?; timeout 5 echo in; timeout 0.02 sh -c 'trap "" TERM; sleep 0.1; exit 9'; echo $?`, "124\nin\n124\n"},
		{`exec echo replaced; echo not here`, "replaced\n"},
		{`printf 'echo script $1\n' >s; chmod +x s; ./s arg; . ./s; printf 'echo $1 $#\nv=2\n' > p; . ./p x y; echo $v`, "script arg\nscript\nx 2\n2\n"},
		{`eval "sleep 0 & wait; echo 'it'\"'\"'s' | cat"`, "it's\n"},
		{`cat <(echo one) <(echo two); while read l; do echo "[$l]"; done < <(seq 2); diff <(echo a) <(echo b)`, "one\ntwo\n[1]\n[2]\n1c1\n< a\n---\n> b\n[001]"},
		{`set -u; echo ${UID}:$EUID:$HOME:${#HOSTNAME}`, "HOSTNAME: unbound variable\n[001]"},
		{`unset HOME; echo ~ann ~nobody ~root; echo $((SECONDS)) ${EPOCHSECONDS}`, "/home/ann ~nobody /root\n0 1767323045\n"},
		{`umask 077; (umask 0; umask); umask; umask 022 | cat; umask`, "0000\n0077\n0077\n"},
		{`set -x; echo a | cat`, "+ echo a\n+ cat\na\n"},
		{`declare -A m; m[k]=v; l=(1 "2 3"); readonly r=5; { echo "${m[k]} ${l[1]} $r"; } | cat`, "v 2 3 5\n"},
		{`f() { local x=in; echo "$x $1" | { read a; echo "$a $x $1"; }; }; x=out; f arg`, "in arg in arg\n"},
		{`set -- p q; echo | { echo "$1 $2 $#"; }; for i; do echo $i | cat; done`, "p q 2\np\nq\n"},
		{`find . -maxdepth 1 -type f | sort | xargs -n 1 echo | head -n 2; echo a b | xargs -I{} echo "<{}>"`, "./a\n./b\n<a b>\n"},
		{`tail /dev/zero`, "[137]"},
		{`x=a; while :; do x=$x$x; done`, "[137]"},
		{`yes | sort`, "[137]"},
		{`dd if=/dev/zero of=/dev/null bs=32M count=1`, "[137]"},
		{`x=$(cat /dev/zero)`, "[137]"},
		{`cat /dev/zero | head -c 3 | od -c | head -n 1`, "0000000  \\0  \\0  \\0\n"},
		{`ulimit -n`, "sh: ulimit: -n: not supported\n[001]"},
		{`time -p true | cat; { time -p sleep 0; } | head -n 1 | cut -c1-6`, "real 0.00\nuser 0.00\nsys 0.00\nreal 0\n"},
		{`env A=1 sh -c 'echo $A | cat'; echo x | env B=2 sh -c 'cat; echo $B'`, "1\nx\n2\n"},
	} {
		t.Run(c.script, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, newToy(t).script(t, c.script, strings.NewReader("typed  in \nmore\n"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is common to shells is the same as the host's shell does.
func TestShellAgreesWithTheHosts(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("this machine has no bash")
	}
	for _, script := range []string{
		`echo a b | while read x y; do echo "$y $x"; done | cat -n`,
		`seq 10 | grep 1 | tr '\n' ' '; echo; false | true; echo $?; true | false; echo $?`,
		"cat <<A; cat <<'B'\n\\$x \\\\ \"q\" `echo sub` $(echo \"in ) paren\")\nA\n\\$x \\\\ \"q\" `no`\nB",
		`f() { echo $#; return 3; }; f a b | cat; f a; echo $?`,
		`x=$(printf 'a\n\n\n' | cat); echo "[$x]"; echo "$(echo "$(echo deep | cat)" | cat)"`,
		`for i in 1 2 3; do echo $i; done | { s=0; while read n; do s=$((s+n)); done; echo $s; }`,
		`{ echo 1; echo 2 >&2; } 2>&1 | sort -r; ! true | false; echo $?`,
		`case $(echo ab | cut -c1) in a) echo A;; *) echo other;; esac | tr A-Z a-z`,
		`(echo sub; exit 2) | cat; (exit 5); echo $?; if echo q | grep -q q; then echo yes; fi`,
		`set -o pipefail; (exit 3) | (exit 4) | true; echo $?; set +o pipefail; (exit 3) | true; echo $?`,
		`cat <(echo a) <(echo b) | tr ab xy; paste -d: <(seq 2) <(seq 3 4)`,
		`a=1; { a=2; echo $a; } | cat; echo $a; (a=3); echo $a; { a=4; }; echo $a`,
		`trap 'echo end' EXIT; echo x | { read v; echo "got $v"; }; (exit 1) || echo or`,
		`sleep 0.01 & p=$!; wait $p; echo $?; (exit 9) & wait $!; echo $?; wait; echo $?`,
		`printf '%s\n' "a'b" 'c"d' | { while read -r l; do echo "<$l>"; done; }; eval 'echo "e'"'"'v" | cat'`,
	} {
		t.Run(script, func(t *testing.T) {
			want, err := exec.Command(bash, "-c", script).CombinedOutput()
			if exit, ok := err.(*exec.ExitError); ok {
				want = append(want, code(exit.ExitCode())...)
			}
			if diff := cmp.Diff(string(want), newToy(t).script(t, script, strings.NewReader(""))); diff != "" {
				t.Errorf("bash (-) and ours (+):\n%s", diff)
			}
		})
	}
}
