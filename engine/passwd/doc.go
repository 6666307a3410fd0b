// Package passwd finds out which numbers a user and its groups have in an image: it reads the tree's own /etc/passwd and
// /etc/group as docker does, whether for a process that is to run or for the owner of a file.
//
// It never asks the machine's own accounts and runs nothing of the image. Both files come from outside: they are read up to a
// bound, lines that make no sense are passed over, and what is all digits is a number, never a name, so that an image can't
// lend a name such as 4294967296 the number 0.
package passwd
