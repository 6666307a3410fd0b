//go:build linux

package command

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxResources bounds what update reads.
const maxResources = 1 << 20

func (a *app) update(v *verb, words []string) (int, error) {
	fl := v.set(a)
	r := &specs.LinuxResources{}
	file := fl.String("resources", "", "`file` with the limits as JSON; - is standard input")
	fl.StringVar(file, "r", "", "`file` with the limits as JSON; - is standard input")
	limitFlags(fl, r)
	rest, err := parse(fl, words, 1, 1)
	if err != nil {
		return 0, err
	}
	if *file != "" {
		if err := a.readResources(*file, r); err != nil {
			return 0, err
		}
	}
	c, err := a.runtime().Load(rest[0])
	if err != nil {
		return 0, err
	}
	return 0, c.Update(r)
}

func (a *app) readResources(name string, r *specs.LinuxResources) error {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read limits: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxResources))
	if err == nil {
		err = json.NewDecoder(bytes.NewReader(data)).Decode(r)
	}
	if err != nil {
		return fmt.Errorf("read limits %s: %w", name, err)
	}
	return nil
}

// limitFlags are those of runc; each fills its part of the limits.
func limitFlags(fl *flag.FlagSet, r *specs.LinuxResources) {
	memory := func() *specs.LinuxMemory {
		if r.Memory == nil {
			r.Memory = &specs.LinuxMemory{}
		}
		return r.Memory
	}
	cpu := func() *specs.LinuxCPU {
		if r.CPU == nil {
			r.CPU = &specs.LinuxCPU{}
		}
		return r.CPU
	}
	signed := func(name, help string, set func(int64)) {
		fl.Func(name, help, func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err == nil {
				set(n)
			}
			return err
		})
	}
	signed("memory", "limit of memory in `bytes`", func(n int64) { memory().Limit = &n })
	signed("memory-reservation", "`bytes` of memory to keep", func(n int64) { memory().Reservation = &n })
	signed("memory-swap", "limit of memory and swap in `bytes`", func(n int64) { memory().Swap = &n })
	signed("cpu-quota", "`microseconds` of processor time per period", func(n int64) { cpu().Quota = &n })
	signed("cpu-period", "length of a period in `microseconds`", func(n int64) { u := uint64(n); cpu().Period = &u })
	signed("cpu-share", "`weight` against others", func(n int64) { u := uint64(n); cpu().Shares = &u })
	signed("cpu-burst", "`microseconds` that may be saved up", func(n int64) { u := uint64(n); cpu().Burst = &u })
	signed("cpu-rt-period", "`microseconds`", func(n int64) { u := uint64(n); cpu().RealtimePeriod = &u })
	signed("cpu-rt-runtime", "`microseconds`", func(n int64) { cpu().RealtimeRuntime = &n })
	signed("cpu-idle", "1: only what nobody else wants", func(n int64) { cpu().Idle = &n })
	signed("pids-limit", "most `processes`", func(n int64) { r.Pids = &specs.LinuxPids{Limit: &n} })
	signed("blkio-weight", "`weight` against others, 10 to 1000", func(n int64) { w := uint16(n); r.BlockIO = &specs.LinuxBlockIO{Weight: &w} })
	fl.Func("cpuset-cpus", "`list` of processors", func(s string) error { cpu().Cpus = s; return nil })
	fl.Func("cpuset-mems", "`list` of memory nodes", func(s string) error { cpu().Mems = s; return nil })
}
