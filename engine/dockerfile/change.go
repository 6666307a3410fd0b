package dockerfile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/learn-containers/learn/engine/oci"
)

// changeable are the instructions that a --change may hold, each with a space around it.
const changeable = " CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR "

// Change changes c by instructions as docker commit and docker import take them by --change: those that change the config
// alone. As in a Dockerfile, variables are expanded; they are those of c. After an error c may be changed in part.
func Change(c *oci.ImageConfig, changes []string) error {
	if len(changes) == 0 {
		return nil
	}
	res, err := parser.Parse(strings.NewReader(strings.Join(changes, "\n")))
	if err != nil {
		return plainError(err)
	}
	file := &File{Name: "--change", escape: res.EscapeToken}
	conf := Configurator{Config: c}
	for _, n := range res.AST.Children {
		in := instructionOf(n)
		if !strings.Contains(changeable, " "+in.Name+" ") {
			return fmt.Errorf("%s is not a valid change command", strings.ToLower(in.Name))
		}
		if _, err := typed(n); err != nil {
			return plainError(err)
		}
		cmd, err := (&Plan{File: file}).Scope(Stage{}, c.Env, nil).Expand(in)
		if err != nil {
			return plainError(err)
		}
		if _, _, err := conf.Apply(cmd); err != nil {
			return err
		}
	}
	return nil
}

// plainError drops the place of a mistake: a change has no file and no line that a user could look up.
func plainError(err error) error {
	if syntax := (*SyntaxError)(nil); errors.As(err, &syntax) {
		return errors.New(syntax.Msg)
	}
	if loc := (*parser.LocationError)(nil); errors.As(err, &loc) {
		return errors.Unwrap(loc)
	}
	return err
}
