mkdir -p /tmp/redir && cd /tmp/redir
echo first > f; echo second >> f; cat < f
{ echo out; echo err >&2; } > both 2>&1; cat both
ls /nowhere 2> err; echo "code $?"; cat err
{ echo to-out; echo to-err >&2; } 2>/dev/null
exec 3> three; echo three >&3; exec 3>&-; cat three
exec 4< f; read a <&4; read b <&4; exec 4<&-; echo "$b $a"
{ echo o; echo e >&2; } 3>&1 1>&2 2>&3 3>&- | sed 's/^/in the pipe: /'
while read -r line; do echo "<$line>"; done < f
(echo sub; echo shell) > s; wc -l < s
for i in 1 2; do echo $i; done > loop; cat loop
echo hidden > /dev/null; cat /dev/null
cat missing 2>&1; cat < missing; echo "after $?"
if read x < f; then echo "read $x"; fi
> made; chmod 640 made; echo x > made; ls -l made | cut -c1-10
echo a b c | { read x y; echo "$y/$x"; }
: > f; cat f; echo end
