package docker

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	ntypes "github.com/moby/moby/api/types/network"
	"github.com/spf13/cobra"
)

func (app *App) portCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "port CONTAINER [PRIVATE_PORT[/PROTO]]",
		Short: "List port mappings or a specific mapping for the container",
		Args:  func(cmd *cobra.Command, args []string) error { return between(cmd, args, 1, 2) },
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			c, err := e.Containers.Inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if len(args) == 2 {
				return app.port(args[0], args[1], c.NetworkSettings.Ports)
			}
			app.printPorts(c.NetworkSettings.Ports, func(p ntypes.Port) string { return p.String() + " -> " })
			return nil
		},
	}
}

// port prints where one port of the container is published.
func (app *App) port(name, word string, all ntypes.PortMap) error {
	number, proto, _ := strings.Cut(word, "/")
	if _, err := strconv.ParseUint(number, 10, 16); err != nil {
		return &clientError{msg: fmt.Sprintf("Error: invalid port (%s): %v", number, err)}
	}
	p, err := ntypes.ParsePort(number + "/" + proto)
	if err != nil || len(all[p]) == 0 {
		return &clientError{msg: fmt.Sprintf("Error: No public port '%s' published for %s", word, name)}
	}
	app.printPorts(ntypes.PortMap{p: all[p]}, func(ntypes.Port) string { return "" })
	return nil
}

// printPorts prints a line for each published port, in the order of the numbers in it, each after what before says of the container's port.
func (app *App) printPorts(ports ntypes.PortMap, before func(ntypes.Port) string) {
	var lines []string
	for p, bindings := range ports {
		for _, b := range bindings {
			lines = append(lines, before(p)+net.JoinHostPort(b.HostIP.String(), b.HostPort))
		}
	}
	slices.SortFunc(lines, natural)
	for _, l := range lines {
		fmt.Fprintln(app.Out, l)
	}
}

// natural compares texts so that the numbers in them count as numbers: 80/tcp is before 443/tcp.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, nb := leadingDigits(a), leadingDigits(b)
		if na == "" || nb == "" {
			if a[0] != b[0] {
				return int(a[0]) - int(b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		if c := cmp.Or(len(na)-len(nb), strings.Compare(na, nb)); c != 0 {
			return c
		}
		a, b = a[len(na):], b[len(nb):]
	}
	return len(a) - len(b)
}

func leadingDigits(s string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 0 {
		return s
	}
	return s[:i]
}
