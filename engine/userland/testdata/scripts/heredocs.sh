name=world
cat <<X
hello $name $((6 * 7)) $(echo sub) "quoted" 'single' \$name \\ \x
X
cat <<'X'
$name $((1)) `no` "q" it's \\ \$
X
cat <<-X
	one tab
		two tabs	inside
	X
while read -r l; do echo "<$l>"; done <<X
first line
  second line
X
cat <<A | tr a-z A-Z; cat <<B
piped
A
plain
B
x=$(cat <<X
in a substitution: $name
X
); echo "$x"
f() { cat <<X
arg $1
X
}; f one; f two | cat
cat <<<"a string $name"; read a b <<< "p q r"; echo "$b"
bash <<'X'
echo a script from standard input
read line
this line is read
echo "got: $line"
X
cat <<X > /tmp/here
to a file
X
cat /tmp/here
cat <<X

after an empty line
X
