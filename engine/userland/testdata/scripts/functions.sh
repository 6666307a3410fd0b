greet() { local who=${1:-nobody}; echo "hello $who"; return 3; }
greet you; echo $?; greet
outer() { inner() { echo inner $v; }; local v=1; inner; }; v=0; outer; inner
count() { [ $1 -gt 0 ] || return 0; echo $1; count $(($1 - 1)); }; count 3
mod() { g=changed; }; g=kept; (mod); echo $g; mod; echo $g
out=$(greet there); echo "$out $?"
greet x | sed s/hello/bye/
greet z > /tmp/fn; cat /tmp/fn
type greet >/dev/null && echo is; unset -f greet; greet 2>/dev/null; echo $?
each() { for a; do echo "[$a]"; done; }; each a "b c" ''
lines() { while read -r l; do echo "$1$l"; done; }; printf '1\n2\n' | lines '> '
opts() { while getopts ab:c o; do echo "$o $OPTARG"; done; shift $((OPTIND-1)); echo "rest $*"; }; opts -a -b val x y
a() { b "$@" | c; }; b() { printf '%s\n' "$@"; }; c() { sort -r; }; a 1 3 2
command -v a >/dev/null && echo yes; command -v nosuch || echo no
wait_for() { sleep 0.01; echo "$1 done"; }; wait_for job & wait; echo end
exit_with() { exit 9; }; (exit_with); echo $?; exit_with; echo not here
