package main

import (
	"fmt"
	"strings"

	"github.com/learn-containers/learn/engine/program"
)

// faultOf says in a sentence what is wrong with a program, and what can be done.
func faultOf(r *program.Report) (text, hint string) {
	missing := strings.Join(r.Missing, ", ")
	switch r.Fault {
	case program.NoCommand:
		return "There is no command: neither the image nor the command line names one.", "name a program after the image, or give the image a CMD"
	case program.NotFound:
		if r.Detail != "" {
			return fmt.Sprintf("There is no program %s in any folder of its PATH, which is %s.", missing, r.Detail), "check the spelling, install the program in the image, or give its whole path"
		}
		return fmt.Sprintf("There is no file %s.", missing), "check the path; a volume mounted over its folder hides what the image has there"
	case program.NotExecutable:
		return fmt.Sprintf("%s has no permission to be executed.", r.File), "chmod +x it before it is copied, or COPY --chmod=755"
	case program.IsFolder:
		return fmt.Sprintf("%s is a folder.", r.File), "name the program in it"
	case program.NoInterpreter:
		return fmt.Sprintf("%s is a script, and its first line names %s as the program to read it, which is not there. That is what \"no such file or directory\" means here.", r.File, orWord(missing, "none")),
			"install that program in the image, or change the first line"
	case program.CarriageReturn:
		return fmt.Sprintf("%s is a script with Windows line ends: the kernel looks for %q, with the carriage return at its end.", r.File, missing+"\r"),
			"save it with Unix line ends (dos2unix, or git's core.autocrlf=input)"
	case program.NoLoader:
		return fmt.Sprintf("%s is linked dynamically and needs the loader %s, which is not there. That is what \"no such file or directory\" means here.", r.File, missing),
			"the program was made for another distribution (glibc against musl): link it statically (Go: CGO_ENABLED=0), or use an image that has the loader"
	case program.NoLibrary:
		return fmt.Sprintf("%s needs shared libraries that are in none of the usual folders: %s.", r.File, missing), "install the packages that have them, or link the program statically"
	case program.WrongMachine:
		return fmt.Sprintf("%s was made for another processor: %s.", r.File, r.Machine), "build or pull the image for this machine (--platform)"
	case program.WrongSystem:
		return fmt.Sprintf("%s is a program for %s; a container runs Linux programs.", r.File, r.Machine), "build it for Linux (Go: GOOS=linux)"
	case program.EmptyFile:
		return fmt.Sprintf("%s is empty.", r.File), ""
	case program.TooManyScripts:
		return fmt.Sprintf("%s is a script whose interpreter is a script, and so on, more often than the kernel follows.", r.File), ""
	case program.Damaged:
		return fmt.Sprintf("%s is damaged: %s.", r.File, r.Detail), "copy it into the image again"
	case program.NotAProgram:
		return fmt.Sprintf("%s is neither a program nor a script with a first line that begins with #!.", r.File), "if it is a shell script, begin it with #!/bin/sh"
	}
	return fmt.Sprintf("%s can't be executed (%s).", r.File, r.Fault), ""
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
