mkdir -p /tmp/find/a/b/c /tmp/find/e && cd /tmp/find
echo x > a/1.txt; echo yy > a/b/2.txt; echo zzz > a/b/c/3.log; : > e/empty; ln -s a la
find . | sort; find a -type f | sort; find . -type d -name b; find . -name '*.txt' | sort
find . -maxdepth 1 | sort; find . -mindepth 3 | sort; find . -type l
find . -size -2c -type f | sort; find . -empty | sort
find . -name '*.log' -o -name 1.txt | sort; find . ! -name '*.txt' -type f | sort
find a -name '*.txt' -exec cat {} \; | sort; find a -type f -exec echo {} + | tr ' ' '\n' | sort
find . -path './a/b*' | sort; find a -prune; find . -name b -prune -o -type f -print | sort
find a -type f -print0 | xargs -0 wc -c | tail -n 1 | sed 's/^ *//'
find . -iname '*.TXT' | wc -l; find . -newer e/empty -name nothing
find a -name '*.txt' -delete; find a -type f; find nothing 2>&1; echo $?
ls -R a; ls -a e; ls -1 a/b; ls -d a e
echo *; echo a/*; echo a/b/c/*.log none*; echo [ae]
