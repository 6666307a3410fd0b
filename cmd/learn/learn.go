package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/learn-containers/learn/cmd/learn/docker"
	"github.com/spf13/cobra"
)

// enter puts the process where the engine can work. done tells that the command has been carried out by another process.
func (s *session) enter(words []string) (code int, done bool) {
	if slices.Contains(words, "--help") || len(words) == 0 || words[0] == "version" {
		return 0, false
	}
	if err := s.settle(); err != nil {
		fmt.Fprintln(s.err, "learn:", err)
		return 125, true
	}
	return 0, false
}

// learn runs one command of learn itself.
func (s *session) learn(ctx context.Context, words []string) int {
	root := s.commands()
	root.SetArgs(words)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var code exitCode
	if asExit(err, &code) {
		return int(code)
	}
	fmt.Fprintln(s.err, "learn:", err)
	if r := docker.Remedy(err); r != "" {
		fmt.Fprintf(s.err, "What to do: %s.\n", r)
	}
	return 1
}

func (s *session) commands() *cobra.Command {
	root := &cobra.Command{
		Use:   "learn",
		Short: "Learn Docker images and containers by doing them for real",
		Long: `learn teaches Docker images and containers with a real container engine of its own: you step through a lesson, the engine does
the work, and a tracer tells you every step it took. Without a command it carries on where you left off.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return s.carryOn(cmd.Context()) },
	}
	s.register(root.PersistentFlags())
	root.AddCommand(s.exerciseCommands()...)
	root.AddCommand(s.classCommand(), s.joinCommand(), s.submitCommand(), s.gradeCommand(), s.gradeOneCommand())
	root.AddCommand(s.playCommand(), s.quizCommand(), s.listCommand(), s.devCommand(), s.traceCommand(), s.whyCommand(), s.doctorCommand(), s.runtimeCommand(), s.registryCommand(), s.versionCommand(), s.dockerHelp())
	return root
}

// dockerHelp stands for learn docker in the list of commands; docker's own words never come this way.
func (s *session) dockerHelp() *cobra.Command {
	return &cobra.Command{
		Use:                "docker",
		Short:              "The engine, with docker's commands, flags, output and exit codes",
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := s.docker(cmd.Context(), args); code != 0 {
				return exitCode(code)
			}
			return nil
		},
	}
}

func (s *session) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { fmt.Fprintln(s.out, "learn", docker.Version()) },
	}
}
