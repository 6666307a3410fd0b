package main

import "github.com/spf13/cobra"

// runtimeName is what the program is called when it is nothing but an OCI runtime.
const runtimeName = "learn-runtime"

// runtimeCommand makes containers of bundles. Usually package boot has taken over long before; this is for options of learn that stand
// before the word, and for the list of commands.
func (s *session) runtimeCommand() *cobra.Command {
	return &cobra.Command{
		Use:                "runtime",
		Short:              "An OCI runtime for podman, containerd and others: containers of bundles, as runc and crun make them",
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			code, err := runBundles(args)
			if err == nil && code != 0 {
				err = exitCode(code)
			}
			return err
		},
	}
}
