mkdir -p /tmp/arch/src/sub && cd /tmp/arch
echo one > src/1; echo two > src/sub/2; ln -s 1 src/l; chmod 750 src/sub
tar cf a.tar src && tar tf a.tar | sort
mkdir out; tar xf a.tar -C out; find out | sort; cat out/src/sub/2; readlink out/src/l; stat -c %a out/src/sub
tar czf - -C src . | tar tzf - | sort | head -n 3
mkdir only; tar xf a.tar -C only src/1; find only -type f
tar cf - src | tar xOf - src/1
tar xf missing.tar 2>/dev/null; echo $?
gzip -k src/1; ls src; zcat src/1.gz; gunzip -c src/1.gz | cat; gzip -t src/1.gz && echo good
mv src/1.gz z.gz; gunzip z.gz; cat z
echo text | gzip | gunzip; echo text | gzip -c | zcat
tar cf e.tar --exclude='*.x' src; tar tf e.tar | wc -l
sha256sum src/1 > sums; sha256sum -c sums
echo changed > src/1; sha256sum -c sums >/dev/null 2>&1; echo $?
