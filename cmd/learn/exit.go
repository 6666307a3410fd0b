package main

import (
	"errors"
	"strconv"
)

// exitCode ends the program without a further word.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

func asExit(err error, code *exitCode) bool { return errors.As(err, code) }
