// Package tiny holds the programs of package userland that must start as fast as an empty program. It
// imports nothing but syscall, so that the early start of a process can call it before any other package
// is initialised. It is not a second implementation: what is not trivially the same is left to userland.
package tiny

// Run runs name with argv (argv[0] is the name it was called by) and returns its exit code. It returns
// false, having done nothing, when the program or one of its flags is not among the simple ones.
func Run(name string, argv []string) (code int, ok bool) {
	var args []string
	if len(argv) > 1 {
		args = argv[1:]
	}
	switch name {
	case "true", ":":
		return 0, true
	case "false":
		return 1, true
	}
	return small(name, args)
}

// Main is Run for a process called by argv, whatever folder argv[0] names.
func Main(argv []string) (code int, ok bool) {
	if len(argv) == 0 {
		return 0, false
	}
	name := argv[0]
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			name = name[i+1:]
			break
		}
	}
	return Run(name, argv)
}
