package standard

// Device is a character device; any user may read and write it.
type Device struct {
	Name         string // in /dev
	Major, Minor uint32 // Documentation/admin-guide/devices.txt of Linux
}

// DeviceOptions describe the bind mount of each device.
const DeviceOptions = "nosuid,noexec"

// Devices are the nodes that every container has in /dev.
func Devices() []Device {
	return []Device{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}}
}

// Link is a symbolic link in /dev.
type Link struct{ Name, Target string }

// Links are the symbolic links that every container has in /dev.
func Links() []Link {
	return []Link{{"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
		{"core", "/proc/kcore"}, {"ptmx", "pts/ptmx"}}
}

// DeviceRules are what a control group of devices lets every container do: make any node, and use those of Devices and its terminals.
func DeviceRules() []string {
	return []string{"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"}
}
