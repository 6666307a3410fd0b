for i in 1 2 3 4; do [ $i = 2 ] && continue; [ $i = 4 ] && break; echo $i; done
n=0; while [ $n -lt 3 ]; do n=$((n+1)); done; echo $n
until [ $n -eq 0 ]; do n=$((n-1)); done; echo $n
for ((i=0; i<3; i++)); do printf $i; done; echo
for o in 1 2; do for p in a b; do [ $p = b ] && continue 2; echo $o$p; done; done
case abc in x*) echo x;; a?c) echo matched;; *) echo other;; esac
case 5 in [0-3]) echo low;; [4-9]) echo high;; esac
if false; then echo a; elif true; then echo b; else echo c; fi
true && echo and || echo or; false && echo and || echo or
fact() { [ $1 -le 1 ] && echo 1 || echo $(($1 * $(fact $(($1 - 1))))); }; fact 6
r() { return 7; }; r; echo $?
args() { echo "$#:$1:$@"; }; args; args a "b c"
[[ abc == a* && ! x > y ]] && echo double
[[ foo12 =~ ^[a-z]+([0-9]+)$ ]] && echo ${BASH_REMATCH[1]}
(cd /; pwd; exit 3); echo $?
{ echo group; false; }; echo $?
eval 'v="evaluated"; echo $v'
set -e; false || echo kept; if false; then :; fi
sh -ec 'echo before; false; echo not here'; echo not here either
