package build

import (
	"errors"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
)

// metadata carries out an instruction that only changes the config. The texts for the history are docker's.
func (st *stage) metadata(in dockerfile.Instruction, cmd dockerfile.Command) error {
	switch c := cmd.(type) {
	case *dockerfile.Arg:
		words, err := st.scope.Declare(in, c)
		if err != nil {
			return err
		}
		st.history("ARG "+strings.Join(words, " "), true)
		return nil
	case *dockerfile.Maintainer:
		st.config.Author = c.Maintainer
		st.history("MAINTAINER "+c.Maintainer, true)
		return nil
	case *dockerfile.Env:
		for _, kv := range c.Env {
			st.scope.SetEnv(kv.Key, kv.Value)
		}
	}
	text, err := st.configure(in, cmd)
	if err != nil {
		return err
	}
	if _, isCmd := cmd.(*dockerfile.Cmd); isCmd {
		st.config.Config.ArgsEscaped = true // as docker's builder has it: it is part of the id
	}
	if text != "" {
		st.history(text, true)
	}
	return nil
}

// configure changes the config by cmd and gives the text for the history.
func (st *stage) configure(in dockerfile.Instruction, cmd dockerfile.Command) (string, error) {
	file := st.session.plan.File
	text, ok, err := st.conf.Apply(cmd)
	if wrong := (*dockerfile.ConfigError)(nil); errors.As(err, &wrong) {
		return "", file.Errorf(in, wrong.Word, "%s", wrong.Msg)
	}
	if err == nil && !ok {
		return "", file.Errorf(in, "", "%s is not supported by this builder", in.Name)
	}
	return text, err
}
