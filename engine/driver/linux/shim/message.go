//go:build linux

package shim

import (
	"encoding/json"
	"time"
)

// The requests that a client may make.
const (
	DoStart     = "start"     // first connection only; answered by started and exit
	DoWait      = "wait"      // answered by exit when the task has ended
	DoAttach    = "attach"    // connects the streams that come along; answered by exit
	DoExec      = "exec"      // answered by started and, unless detached, exit
	DoFiles     = "files"     // starts a files stage for the client, whose end of a connection comes along as its input; answered by started and exit
	DoSignal    = "signal"    // answered by ok, like all that follow
	DoResize    = "resize"    //
	DoPause     = "pause"     //
	DoResume    = "resume"    //
	DoTrace     = "trace"     // events are recorded from now on
	DoSync      = "sync"      // what happened so far is recorded when the answer comes
	DoProcesses = "processes" // ok with the list
	DoUpdate    = "update"    // the limits are these from now on
	DoUsage     = "usage"     // ok with what the container uses
	DoReveal    = "reveal"    // ok with what the kernel shows of the first process
	DoRewire    = "rewire"    // the container is connected as the plan says from now on; ok with the plan as it was carried out
	DoDelete    = "delete"    // kills what runs; answered by exit
	DoOnEnd     = "on-end"    // changes what is run after the end; ok
	DoDismiss   = "dismiss"   // the end was the last one: a supervisor that rests goes; ok
)

// Request is what a client asks of a shim.
type Request struct {
	Do      string   `json:"do"`
	Config  *Config  `json:"config,omitempty"`
	Process *Process `json:"process,omitempty"`
	Detach  bool     `json:"detach,omitempty"` // start, exec: the client leaves when the program runs
	Limits  *Limits  `json:"limits,omitempty"`
	Net     *Net     `json:"net,omitempty"` // rewire
	Signal  int      `json:"signal,omitempty"`
	Why     string   `json:"why,omitempty"`    // signal, delete: the command that wants it
	Client  int      `json:"client,omitempty"` // signal, delete: the process that asks
	Files   []string `json:"files,omitempty"`  // reveal: which of the process's files
	Links   []string `json:"links,omitempty"`  // reveal: which of its links
	Cols    uint16   `json:"cols,omitempty"`
	Rows    uint16   `json:"rows,omitempty"`

	OnEnd  []string      `json:"on_end,omitempty"`
	Env    []string      `json:"env,omitempty"` // of that
	Rested time.Duration `json:"rested_ns,omitempty"`

	// Which streams come along as descriptors, in this order.
	Stdin  bool `json:"stdin,omitempty"`
	Stdout bool `json:"stdout,omitempty"`
	Stderr bool `json:"stderr,omitempty"`
}

// The kinds of reply.
const (
	ReplyOK      = "ok"
	ReplyStarted = "started"
	ReplyExit    = "exit"
	ReplyError   = "error"
	ReplyCommand = "command" // the command cannot be executed
	ReplyGone    = "gone"    // nothing runs (any more)
)

// Reply is a shim's answer.
type Reply struct {
	Kind      string          `json:"kind"`
	Pid       int             `json:"pid,omitempty"`
	Exit      *Exit           `json:"exit,omitempty"`
	Code      int             `json:"code,omitempty"` // of a command that cannot be executed: 126 or 127
	Message   string          `json:"message,omitempty"`
	Processes []ProcessInfo   `json:"processes,omitempty"`
	Usage     *Usage          `json:"usage,omitempty"`
	Reveal    *Reveal         `json:"reveal,omitempty"`
	Plan      json.RawMessage `json:"plan,omitempty"`
}

// stageConfig is what a shim tells a stage.
type stageConfig struct {
	Config  *Config  `json:"config,omitempty"`  // init
	Process *Process `json:"process,omitempty"` // exec
	ID      string   `json:"id"`
	Tasks   []string `json:"tasks,omitempty"` // version 1 control groups to join
	Groups  []string `json:"groups,omitempty"`
	Trace   bool     `json:"trace,omitempty"`
	Gated   bool     `json:"gated,omitempty"`  // init: another message says when everything outside is ready for the program
	Joined  []string `json:"joined,omitempty"` // folders of all control groups, for their events
	Others  []space  `json:"others,omitempty"` // init: namespaces to enter, whose descriptors come behind the streams
	Spaces  int      `json:"spaces,omitempty"` // exec: flags of the namespaces to enter
}

// gate lets a first stage that waits for it go on to the program.
type gate struct {
	Open bool `json:"open"`
}

// report is what a stage tells its shim.
type report struct {
	Terminal bool   `json:"terminal,omitempty"` // the master comes along as a descriptor
	Ready    bool   `json:"ready,omitempty"`    // everything is done but execve
	Listener bool   `json:"listener,omitempty"` // the descriptor on which the filter asks comes along
	Program  string `json:"program,omitempty"`  // with Ready: the file that is to be executed
	Error    string `json:"error,omitempty"`
	Code     int    `json:"code,omitempty"` // 126 or 127 when the command itself is at fault
}
