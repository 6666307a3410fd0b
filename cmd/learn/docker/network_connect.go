package docker

import (
	ntypes "github.com/moby/moby/api/types/network"
	"github.com/spf13/cobra"
)

// connectFlags are the options of network connect: what the container is to have in the network.
type connectFlags struct {
	aliases, links, linkLocal, options []string
	ip, ip6                            string
	priority                           int
}

func (app *App) networkConnect() *cobra.Command {
	var f connectFlags
	cmd := &cobra.Command{
		Use:   "connect [OPTIONS] NETWORK CONTAINER",
		Short: "Connect a container to a network",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.settings()
			if err != nil {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Containers.Connect(cmd.Context(), args[0], args[1], s)
		},
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.aliases, "alias", nil, "Add network-scoped alias for the container")
	fl.StringVar(&f.ip, "ip", "", `IPv4 address (e.g., "172.30.100.104")`)
	fl.StringVar(&f.ip6, "ip6", "", `IPv6 address (e.g., "2001:db8::33")`)
	fl.Var(&checkedList{&f.links, checkLink}, "link", "Add link to another container")
	fl.StringSliceVar(&f.linkLocal, "link-local-ip", nil, "Add a link-local address for the container")
	fl.StringSliceVar(&f.options, "driver-opt", nil, "driver options for the network")
	fl.IntVar(&f.priority, "gw-priority", 0, "Highest gw-priority provides the default gateway. Accepts positive and negative values.")
	return cmd
}

func (f *connectFlags) settings() (*ntypes.EndpointSettings, error) {
	s := &ntypes.EndpointSettings{Aliases: f.aliases, Links: f.links, GwPriority: f.priority}
	for _, w := range f.options {
		if err := addDriverOption(s, w); err != nil {
			return nil, &clientError{msg: err.Error()}
		}
	}
	same := networkingFlags{ip: f.ip, ip6: f.ip6, linkLocal: f.linkLocal}
	return s, same.fixed(s)
}

func (app *App) networkDisconnect() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "disconnect [OPTIONS] NETWORK CONTAINER",
		Short: "Disconnect a container from a network",
		Args:  exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			return e.Containers.Disconnect(cmd.Context(), args[0], args[1], force)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "Force the container to disconnect from a network")
	return cmd
}
