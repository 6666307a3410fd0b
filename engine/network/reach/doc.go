// Package reach says which link is missing on the way to a container: it follows a connection from who makes it to the program that should
// take it, over what was found of every link.
//
// It looks at nothing itself: whoever asks brings the Facts, and what is not among them is left out of the way or said to be unknown. A way is
// about the machine's part in it, not about firewalls and routers elsewhere.
package reach
