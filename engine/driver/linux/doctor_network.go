//go:build linux

package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/driver/linux/rootnet"
	"github.com/learn-containers/learn/engine/driver/linux/wiring"
)

// networkFinding tells which way containers reach one another and the outside.
func networkFinding(mode Mode) Finding {
	if mode.Rootless {
		return userNetworkFinding()
	}
	const name = "networks"
	switch err := wiring.Usable(); {
	case err == nil:
		return Finding{name, true, "bridges of the kernel, with rules of its firewall (nftables)", ""}
	case errors.Is(err, wiring.ErrNoRules):
		return Finding{name, false, err.Error() + ": no network but host and none can be used",
			"a kernel with CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET (modprobe nf_tables), or run as an ordinary user, whose networks do without"}
	default:
		return Finding{name, false, err.Error(), "a kernel with CONFIG_BRIDGE and CONFIG_VETH (modprobe bridge veth)"}
	}
}

// userNetworkFinding is that of an ordinary user: containers always reach one another.
func userNetworkFinding() Finding {
	const name, inside = "networks", "between containers by a switch of their supervisors; "
	tool, err := rootnet.CheckTools(os.Getenv("PATH"))
	if err == nil {
		return Finding{name, true, inside + "to the outside by " + tool, ""}
	}
	remedy := "install passt (pasta) or slirp4netns (Debian: apt install passt)"
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		remedy = "as root: modprobe tun; chmod 0666 /dev/net/tun"
	}
	return Finding{name, false, inside + err.Error(), remedy + "; without it, containers reach one another, and can be reached by published ports"}
}
