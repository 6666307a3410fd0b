package build

import (
	"context"
	"io"
	"time"

	"github.com/learn-containers/learn/engine/build/fetch"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/image"
	"github.com/learn-containers/learn/engine/oci"
)

// Options say what to build, from what, and how. The zero value of every field is good.
type Options struct {
	ContextDir string      // folder that COPY and ADD read from
	From       *fetch.Spec // where the context has to be fetched from; nil: it is ContextDir
	Source     string      // what messages call a context that is fetched, without credentials
	Dockerfile string      // path; empty: Dockerfile in ContextDir
	Text       []byte      // the Dockerfile itself, from standard input; Dockerfile is then its name in messages
	Tags       []oci.Ref   // names for the image; none is fine
	Target     string      // stage to build; empty: the last
	Platform   string      // what to build for, "linux/arm64"; empty: this machine

	Args     map[string]*string // --build-arg; nil: named, but without a value
	Labels   map[string]string  // added to the image
	Epoch    *time.Time         // SOURCE_DATE_EPOCH: the one time that the image and its layers carry
	Secrets  map[string]Secret  // by id, for RUN --mount=type=secret
	SSH      map[string]string  // by id, path of an agent's socket, for RUN --mount=type=ssh
	Network  string             // of RUN steps that don't name one: default, none or host
	Hosts    []string           // NAME:IP, further lines of /etc/hosts while a RUN runs
	AllowNet bool               // RUN --network=host may have the host's network

	NoCache   bool     // carry out every step, and keep the results
	NoCacheOf []string // the same for the stages of these names
	Pull      bool     // ask the registry for newer base images
	Offline   bool     // ask no registry but those of this machine
	Parallel  int      // steps carried out at once; 0: as many as the machine bears, 1: in the order of the file
	DryRun    bool     // carry nothing out: say what would be
	MaxCache  int64    // bytes that the kept layers may take; 0: no limit

	Outputs   []Output   // none: the image, in the home
	CacheFrom []CacheRef // further caches to take results from
	CacheTo   []CacheRef // where to give the results
	Stdout    io.Writer  // for an Output to standard output

	Progress Progress // nil: silence
	Debugger Debugger // nil: nobody steps, and what fails is removed
}

// Secret gives the content of a secret when a step first asks for it. It must never be kept.
type Secret func() ([]byte, error)

// maxSecret bounds a secret, in bytes, as BuildKit does.
const maxSecret = 500 << 10

// Debugger is asked at the points where somebody may look into a build. Calls come one at a time, and the build waits for each. An
// error ends the build.
type Debugger interface {
	// Before comes before each instruction.
	Before(ctx context.Context, p Pause) error
	// Failed comes when the command of a RUN has failed, before its container is removed.
	Failed(ctx context.Context, p Pause, cause error) error
}

// Pause is a point at which a build waits for its Debugger.
type Pause struct {
	Step, Steps int    // which instruction of all
	Stage       string // name or number
	Where       string // file:line
	Instruction string // as written
	// Run runs a command in a container on the tree as it is here, with the stage's variables, user, working folder and, after a
	// failed RUN, its mounts. What it changes is seen by the next Run and thrown away in the end.
	Run func(ctx context.Context, argv []string, terminal bool, streams driver.Streams) (driver.Exit, error)
	// Shell is the command that the stage's shell form begins with, without its -c.
	Shell []string
}

// Result is what a build made, or would make.
type Result struct {
	Image        image.Image
	Hits, Misses int      // steps with a tree taken from the cache, and carried out
	Saved        Saving   // what the hits saved
	UnusedArgs   []string // build arguments that no ARG asked for
	Warnings     []string
	Build        BuildRecord
}

// Saving is work that need not be done: what it took when it was done last.
type Saving struct {
	Seconds float64 `json:"seconds"`
	Bytes   int64   `json:"bytes"` // of layers
}

// source is what the context is called in messages.
func (o *Options) source() string {
	if o.Source != "" {
		return o.Source
	}
	return o.ContextDir
}
