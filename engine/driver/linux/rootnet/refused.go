//go:build linux

package rootnet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/learn-containers/learn/engine/network"
)

// firstFree is where the setting is that says which ports an ordinary user may have (ip_sysctl).
const firstFree = "/proc/sys/net/ipv4/ip_unprivileged_port_start"

// ExplainPublish says of an error in publishing ports, if it comes from the user having too little power, which port it is and what to do. Any
// other error stays as it is.
func ExplainPublish(err error, ports []network.Published) error {
	if !errors.Is(err, unix.EACCES) {
		return err
	}
	data, _ := os.ReadFile(firstFree)
	first, failed := strconv.Atoi(string(bytes.TrimSpace(data)))
	if failed != nil {
		return err
	}
	for _, p := range ports {
		if p.HostPort != 0 && int(p.HostPort) < first {
			return fmt.Errorf("%w: port %d is below %d, and only root may have it (net.ipv4.ip_unprivileged_port_start); publish a port from %d on, or as root: sysctl -w net.ipv4.ip_unprivileged_port_start=%d",
				err, p.HostPort, first, first, p.HostPort)
		}
	}
	return err
}
