package docker

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/learn-containers/learn/cmd/learn/format"
	"github.com/learn-containers/learn/engine/oci"
	"github.com/spf13/cobra"
)

func (app *App) searchCommand() *cobra.Command {
	var limit int
	var noTrunc bool
	cmd := &cobra.Command{
		Use:   "search [OPTIONS] TERM",
		Short: "Search a registry for images",
		Long:  "Search a registry for images.\nTERM begins with the registry's host, such as localhost:5000/web: repositories whose names contain the rest are listed.",
		Args:  exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, term, ok := strings.Cut(args[0], "/")
			if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" || limit < 0 {
				return plainly("docker search needs a hub, and registries have none: no registry knows what others hold. To look through the list of one, name it: docker search localhost:5000/%s",
					format.Clean(args[0]))
			}
			ref, err := oci.ParseName(host + "/x")
			if err != nil {
				return plainly("%v", err)
			}
			if err := app.mayReach(ref); err != nil {
				return err
			}
			e, err := app.engine(cmd.Context())
			if err != nil {
				return err
			}
			names, err := e.Images.Client().Search(cmd.Context(), ref, term, limit)
			if err != nil {
				return err
			}
			return app.printFound(host, names)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 25, "Max number of search results")
	cmd.Flags().BoolVar(&noTrunc, "no-trunc", false, "Don't truncate output")
	return cmd
}

// printFound writes docker's table. A registry has no descriptions and no stars.
func (app *App) printFound(host string, names []string) error {
	w := tabwriter.NewWriter(app.Out, 10, 1, 3, ' ', 0)
	fmt.Fprintln(w, "NAME\tDESCRIPTION\tSTARS\tOFFICIAL")
	for _, n := range names {
		fmt.Fprintf(w, "%s\t\t0\t\n", format.Clean(host+"/"+n))
	}
	return w.Flush()
}
