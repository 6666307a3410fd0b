a=1 b='two words' c="$a $b"; echo "$c"; echo ${#b} "${b#two }" "${b%words}end"
echo ${unset:-default} ${unset:=assigned} $unset ${a:+alternative} "[${none:+x}]"
path=/a/b/c.tar.gz; echo ${path##*/} ${path%/*} ${path%%.*} ${path#*.}
echo "${b/two/2} ${b//o/0} ${b:4:3}"
x=it\'s; y='it'\''s'; [ "$x" = "$y" ] && echo "$x"
echo $((1 + 2 * 3)) $(( (7 % 4) ** 2 )) $((10 / 3)) $((1 << 4 | 1))
i=5; echo $((i++)) $i $((--i)) $((i > 4 ? 1 : 0))
l=(one "2 3" four); echo ${#l[@]} "${l[1]}" "${l[@]:1}"
for w in "${l[@]}"; do echo "<$w>"; done
set -- p "q r" s; echo $# "$2" "$*"; shift; echo "$@"
IFS=:; v=a:b:c; for p in $v; do echo $p; done; unset IFS
export E=exported; sh -c 'echo $E'; N=once sh -c 'echo $N'; echo "[$N]"
readonly R=1; echo $R; unset a; echo "${a-gone}"
echo "a\"b\$c\\d" 'a"b$c\d' a\ \ b
echo {1..3} a{b,c}d
case "$path" in *.gz) echo gz;; esac
s=$(printf 'x\n\n\n'); echo "[$s]"
printf -v pf '%03d' 7; echo $pf
u() { local a=in; b=changed; echo $a; }; u; echo "$b ${a-gone}"
set -u; echo ${PATH:+path}; (echo $nothing) 2>/dev/null; echo $?
