package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/home"
	"github.com/learn-containers/learn/engine/network"
)

// Names of a task's files in the container's folder.
const (
	taskFile   = "sim.json"
	exitFile   = "sim.exit.json"
	eventsFile = "sim.events"
	handFile   = "sim.events.lock" // held by who hands events out
	liveFile   = "sim.lock"        // held by the process in which the container lives
	stderrFile = "sim.err"
	socketName = "sim.sock"
)

// record is sim.json: where a container lives.
type record struct {
	Pid        int       `json:"pid"`               // of the first process, on the simulated host
	Supervisor int       `json:"supervisor"`        // the real process; for people, nothing is decided by it
	Address    string    `json:"address,omitempty"` // of its socket; empty: it lives inside a command
	StartedAt  time.Time `json:"started_at"`
	Paused     bool      `json:"paused,omitempty"`
	Ephemeral  bool      `json:"ephemeral,omitempty"`
	Rests      bool      `json:"rests,omitempty"` // it is held after the end, too, until a command was run

	Net *network.Plan `json:"net,omitempty"` // as it was carried out
}

// exitRecord is sim.exit.json.
type exitRecord struct {
	Code      int         `json:"code"`
	Signal    int         `json:"signal,omitempty"`
	OOMKilled bool        `json:"oom_killed,omitempty"`
	OOM       *driver.OOM `json:"oom,omitempty"`
	At        time.Time   `json:"at"`
}

func recordOf(e driver.Exit) exitRecord {
	return exitRecord{Code: e.Code, Signal: int(e.Signal), OOMKilled: e.OOMKilled, OOM: e.OOM, At: e.At.UTC()}
}

func (e exitRecord) exit() driver.Exit {
	return driver.Exit{Code: e.Code, Signal: driver.Signal(e.Signal), OOMKilled: e.OOMKilled, OOM: e.OOM, At: e.At}
}

// readRecord reads sim.json in dir. A broken or empty file counts as absent.
func readRecord(dir string) (record, bool) {
	var r record
	ok := readJSON(filepath.Join(dir, taskFile), &r)
	return r, ok && r.Pid > 0
}

// readExit reads sim.exit.json in dir.
func readExit(dir string) (exitRecord, bool) {
	var e exitRecord
	ok := readJSON(filepath.Join(dir, exitFile), &e)
	return e, ok
}

func readJSON(path string, v any) bool {
	data, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(data, v) == nil
}

// writeState replaces a file of dir atomically, and durably if asked.
func writeState(dir, name string, v any, durable bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	data = append(data, '\n')
	if durable {
		return home.WriteFile(filepath.Join(dir, name), data, 0o600)
	}
	return home.WriteVolatile(filepath.Join(dir, name), data, 0o600)
}

// removeState removes files of dir that may not be there.
func removeState(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}
