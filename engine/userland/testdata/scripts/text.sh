mkdir -p /tmp/text && cd /tmp/text
printf 'pear 3\napple 10\nfig 2\napple 1\n' > f
sort f; sort -k2n f; sort -u -k1,1 f; sort -r f | head -n 1
cut -d' ' -f1 f | sort | uniq -c | sort -rn | sed 's/^ *//'
grep apple f; grep -v apple f; grep -c e f; grep -n fig f; grep -E '^(pear|fig)' f; grep -o '[0-9]*' f
grep -q nothing f; echo $?; grep -i PEAR f; grep -l pear f; grep -w 1 f
sed -n 2p f; sed 's/p/P/g' f; sed '/fig/d' f; sed -n '/pear/,/fig/p' f; sed '2i inserted' f | head -n 2
sed -E 's/([a-z]+) ([0-9]+)/\2 \1/' f; sed -e '1d' -e '$d' f; sed '$!d' f; sed 'y/abc/xyz/' f | head -n 1
echo 'a b  c' | tr -s ' '; echo abc | tr abc xyz; echo a1b2 | tr -d 0-9; echo hello | tr '[:lower:]' '[:upper:]'
wc -l f; wc -w < f; wc -c < f
head -n 1 f; tail -n 1 f; tail -n +3 f; head -n -3 f; tail -c 3 f
printf 'a\nb\n' > x; printf '1\n2\n' > y; paste x y; paste -s -d, x; cat -n x; nl x
diff x y; echo $?; diff x x && echo same
printf '%s-%d|%5.1f|%x|%c\n' s 42 3.14159 255 char; printf '%-5s|%5s|\n' ab cd
seq 1 3 10; seq -s, 5; seq -w 8 10; seq 3 -1 1
expr 3 + 4; expr abc : 'a\(.*\)'
tac x; rev x
echo -n no newline; echo; echo -e 'tab\there'
od -c x | head -n 1; base64 x; base64 x | base64 -d
printf 'b a\n' | xargs -n1 | sort; printf 'x y\0z\0' | xargs -0 -n1 echo
md5sum x | cut -c1-8; sha256sum < x | cut -c1-8
printf 'l1\nl2\n' | while read -r l; do printf '%s;' "$l"; done; echo
