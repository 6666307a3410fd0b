// Package ahead starts supervisors, and the one of a docker run already while the command itself is still being initialised, so that
// two processes wake up at the same time on two processors.
//
// It imports almost nothing, because it has to act before the packages that it overtakes. It knows the words "docker run" and nothing
// else of the command line: a supervisor that is not needed after all sees its connection close and ends.
package ahead

// Stage names of processes that the engine starts from its own binary are in this environment variable.
const (
	StageVariable = "_LEARN_STAGE"
	StageShim     = "shim"
)

// runs reports whether a command line is a docker run, under whatever name and after whatever options of learn.
func runs(argv []string) bool {
	if len(argv) < 2 {
		return false
	}
	name := argv[0]
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			name = name[i+1:]
			break
		}
	}
	if len(name) >= 6 && name[:6] == "docker" && argv[1] == "run" {
		return true
	}
	for i := 1; i+1 < len(argv); i++ {
		switch argv[i] {
		case "sim", "--driver=sim": // not by this driver
			return false
		case "docker":
			return argv[i+1] == "run"
		}
	}
	return false
}
