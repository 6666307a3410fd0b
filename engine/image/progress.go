package image

import (
	"io"
	"strconv"

	"github.com/opencontainers/go-digest"
)

// Progress is told how a pull or a push goes on. It is called from several goroutines at once and is waited for: it should be quick.
type Progress interface {
	// Say gives a line about the whole, in docker's words: "latest: Pulling from library/debian".
	Say(line string)
	// Blob says what is being done with one blob now.
	Blob(BlobState)
}

// BlobState is where one blob of a pull or a push is on its way.
type BlobState struct {
	Blob        digest.Digest // as docker shows it: of what is fetched, for a pull; the diff id, for a push
	Stage       Stage
	Done, Total int64  // bytes, while Stage.Counts; a Total of 0 is unknown
	From        string // repository that a BlobMounted came from
	Seconds     int    // until a BlobRetrying is tried again
}

// Stage is one of the things that happen to a blob. Each pull of a blob ends with BlobExists or BlobPulled, each push with BlobPushed,
// BlobPresent or BlobMounted, unless the whole fails.
type Stage uint8

// The stages of a pull, and those of a push.
const (
	BlobAnnounced   Stage = iota // it will be fetched
	BlobWaiting                  // for its turn
	BlobDownloading              // Done of Total bytes are here
	BlobRetrying                 // the registry broke off; it is asked again in Seconds
	BlobVerifying
	BlobDownloaded
	BlobExtracting // Done of Total bytes of the blob are unpacked
	BlobPulled
	BlobExists // it was here already

	BlobPreparing
	BlobPushing // Done of Total bytes are there
	BlobPushed
	BlobPresent // the repository had it already
	BlobMounted // the registry took it from its repository From

	BlobLoading // Done of Total bytes of a layer are read from an archive
)

var stageWords = map[Stage]string{
	BlobAnnounced: "Pulling fs layer", BlobWaiting: "Waiting", BlobDownloading: "Downloading", BlobVerifying: "Verifying Checksum",
	BlobDownloaded: "Download complete", BlobExtracting: "Extracting", BlobPulled: "Pull complete", BlobExists: "Already exists",
	BlobPreparing: "Preparing", BlobPushing: "Pushing", BlobPushed: "Pushed", BlobPresent: "Layer already exists",
	BlobLoading: "Loading layer",
}

// Counts reports that a stage has numbers that change while it lasts.
func (s Stage) Counts() bool {
	return s == BlobDownloading || s == BlobExtracting || s == BlobPushing || s == BlobLoading
}

// String is what docker writes: "Pull complete".
func (b BlobState) String() string {
	switch b.Stage {
	case BlobMounted:
		return "Mounted from " + b.From
	case BlobRetrying:
		unit := " seconds"
		if b.Seconds == 1 {
			unit = " second"
		}
		return "Retrying in " + strconv.Itoa(b.Seconds) + unit
	}
	return stageWords[b.Stage]
}

// silence is the Progress of those who want none.
type silence struct{}

func (silence) Say(string)     {}
func (silence) Blob(BlobState) {}

// heard is p, or for nil one that nobody hears.
func heard(p Progress) Progress {
	if p == nil {
		return silence{}
	}
	return p
}

// telling tells p how far the reading of r has come.
type telling struct {
	r     io.Reader
	p     Progress
	state BlobState
}

// countTo is r; while it is read, p is told of s with Done counted up from what it is.
func countTo(p Progress, s BlobState, r io.Reader) io.Reader { return &telling{r, p, s} }

// Read implements io.Reader.
func (t *telling) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if n > 0 {
		t.state.Done += int64(n)
		t.p.Blob(t.state)
	}
	return n, err
}
