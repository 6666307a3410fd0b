printf 'b\na\nc\na\n' | sort | uniq -c | sed 's/^ *//'
seq 10 | tail -n 3 | head -n 1
yes | head -n 2
echo hello world | tr a-z A-Z | tr -d L | rev
true | false; echo $?
false | true; echo $?
set -o pipefail; false | true; echo $?; set +o pipefail
! echo x | grep -q y; echo $?
f() { while read -r l; do echo "f:$l"; done; }
printf '1\n2\n' | f | cat -n
x=out; echo in | { read x; echo "$x"; }; echo "$x"
ls /nowhere 2>&1 | wc -l
echo $(seq 3 | tr '\n' + | sed 's/+$//')
{ echo 1; echo 2; } | { read a; read b; echo $b$a; }
(exit 3) | cat; echo $?; echo | (exit 6); echo $?
seq 3 | while read n; do echo $n | sed 's/$/!/'; done
printf 'k v\n' | while read k v; do echo "$v=$k"; done | cat | cat | cat
seq 1000 | grep -c 9
seq 5 | xargs echo; seq 4 | xargs -n 2 echo
echo 'a:b:c' | cut -d: -f2
nosuchprogram | cat; echo "pipe $?"
if echo yes | grep -q yes; then echo found; fi
