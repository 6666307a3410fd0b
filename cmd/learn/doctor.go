package main

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine/home"
	"github.com/spf13/cobra"
)

// finding is one thing that doctor looked at.
type finding struct {
	name           string
	ok             bool
	detail, remedy string
}

func (s *session) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Say what works on this machine, why not, and how to get it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Outside a user namespace an ordinary user can still be told why there is none.
			entered := s.settle()
			h, err := home.Open(s.home)
			if err != nil {
				return err
			}
			for _, f := range doctor(h) {
				s.printFinding(f)
			}
			if entered != nil {
				s.printFinding(finding{"driver", false, entered.Error(), ""})
				return exitCode(1)
			}
			return s.checkHome(cmd)
		},
	}
}

func (s *session) printFinding(f finding) {
	mark := "ok  "
	if !f.ok {
		mark = "no  "
	}
	fmt.Fprintf(s.out, "%s%s: %s\n", mark, f.name, f.detail)
	if !f.ok && f.remedy != "" {
		fmt.Fprintf(s.out, "      to get it: %s\n", f.remedy)
	}
}

func (s *session) checkHome(cmd *cobra.Command) error {
	e, err := s.open(cmd.Context(), s.home)
	if err != nil {
		return err
	}
	started, err := e.Containers.StartByPolicy(cmd.Context())
	if len(started) > 0 {
		s.printFinding(finding{"restart policies", true, "started what was to run: " + strings.Join(started, ", "), ""})
	}
	if err != nil {
		s.printFinding(finding{"restart policies", false, err.Error(), "learn docker start --restart-policies"})
	}
	problems, err := e.Check(cmd.Context())
	if err != nil {
		return err
	}
	for _, p := range problems {
		s.printFinding(finding{"home", false, p.String(), "learn docker system check"})
	}
	if len(problems) > 0 {
		return exitCode(1)
	}
	s.printFinding(finding{"home", true, e.Home.Root() + " verifies", ""})
	s.printFinding(finding{"driver", true, e.Driver.Name + " (" + e.Driver.Reason + ")", ""})
	return nil
}
