package sim

import (
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/network"
)

// The requests that a client may make; one begins every connection.
const (
	doStart     = "start"     // answered by started and exit
	doWait      = "wait"      // answered by exit when the task has ended
	doAttach    = "attach"    // connects the client's streams; answered by exit
	doExec      = "exec"      // answered by started and, unless detached, exit
	doFiles     = "files"     // reaches into the container's files; answered by ok when it is done
	doSignal    = "signal"    // answered by ok, like all that follow
	doResize    = "resize"    // also within start, attach and exec, for their own terminal, without an answer
	doPause     = "pause"     //
	doResume    = "resume"    //
	doTrace     = "trace"     // events are recorded from now on
	doSync      = "sync"      // what happened so far is recorded when the answer comes
	doProcesses = "processes" // ok with the list
	doUpdate    = "update"    // the limits are these from now on
	doUsage     = "usage"     // ok with what the container uses
	doReveal    = "reveal"    // ok with what the kernel shows of the first process
	doDelete    = "delete"    // kills what runs; answered by exit
	doOnEnd     = "on-end"    // changes what is run after the end; ok
	doRewire    = "rewire"    // the container is connected by another plan from now on; ok with it as it was carried out
	doDismiss   = "dismiss"   // the end was the last one: a supervisor that rests goes; ok
)

// request is what a client asks.
type request struct {
	Do      string          `json:"do"`
	Process *driver.Process `json:"process,omitempty"`
	Files   *filesRequest   `json:"files,omitempty"`
	Detach  bool            `json:"detach,omitempty"` // start, exec: the client leaves when the program runs
	Limits  *driver.Limits  `json:"limits,omitempty"`
	Net     *network.Plan   `json:"net,omitempty"` // rewire
	Signal  int             `json:"signal,omitempty"`
	Why     string          `json:"why,omitempty"`    // signal, delete: the command that wants it
	Client  int             `json:"client,omitempty"` // signal, delete: the process that asks
	OnEnd   []string        `json:"on_end,omitempty"`
	Env     []string        `json:"env,omitempty"` // of that
	Rested  time.Duration   `json:"rested_ns,omitempty"`
	Within  *time.Duration  `json:"within_ns,omitempty"` // wait: no longer than this, of the machine's time
	Cols    uint16          `json:"cols,omitempty"`
	Rows    uint16          `json:"rows,omitempty"`
	// Which streams the client connects.
	Stdin  bool `json:"stdin,omitempty"`
	Stdout bool `json:"stdout,omitempty"`
	Stderr bool `json:"stderr,omitempty"`
}

// The kinds of reply.
const (
	replyOK      = "ok"
	replyStarted = "started"
	replyExit    = "exit"
	replyLate    = "late" // the time given to a wait is over
	replyError   = "error"
	replyMissing = "missing" // something that the container needs is not there
	replyCommand = "command" // the command cannot be executed
	replyGone    = "gone"    // nothing runs (any more)
)

// reply is a host's answer.
type reply struct {
	Kind      string               `json:"kind"`
	Pid       int                  `json:"pid,omitempty"`
	Exit      *exitRecord          `json:"exit,omitempty"`
	Code      int                  `json:"code,omitempty"` // of a command that cannot be executed: 126 or 127
	Message   string               `json:"message,omitempty"`
	Processes []driver.ProcessInfo `json:"processes,omitempty"`
	Usage     *driver.Usage        `json:"usage,omitempty"`
	Reveal    *driver.Reveal       `json:"reveal,omitempty"`
	Files     *filesReply          `json:"files,omitempty"`
	Net       *network.Plan        `json:"net,omitempty"`
}

// orders are what a host needs to run its container. A supervisor reads them from its standard input.
type orders struct {
	Home      string      `json:"home"`
	Spec      driver.Spec `json:"spec"`
	Trace     bool        `json:"trace,omitempty"`
	OnExitEnv []string    `json:"on_exit_env,omitempty"`
}

// greeting is what a supervisor says on its standard output once it listens.
type greeting struct {
	Address string `json:"address,omitempty"`
	Error   string `json:"error,omitempty"`
}
