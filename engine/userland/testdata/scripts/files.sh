mkdir -p /tmp/files/a/b && cd /tmp/files
echo one > a/1; echo two > a/b/2; : > empty
find . | sort
cp -r a c; find c -type f | sort; cat c/b/2
mv c/b c/moved; ls c c/moved
rm c/1; ls c; rmdir c 2>&1; rm -r c; ls
test -s a/1 && echo full; test -s empty || echo empty
wc -c < a/1; head -c 2 a/1; echo
touch x y; rm x y; ls x 2>&1
echo $?
truncate -s 5 empty; wc -c < empty
dd if=a/1 of=copy bs=1 count=2 2>/dev/null; cat copy; echo
cmp a/1 a/1 && echo same; cmp -s a/1 a/b/2 || echo differ
mkdir a 2>&1; mkdir -p a && echo fine
basename /x/y.txt .txt; dirname /x/y.txt
du -s nothing 2>&1 | wc -l
tee t1 t2 < a/1; cat t1 t2
exit 4
