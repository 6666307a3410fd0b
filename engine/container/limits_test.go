package container

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/docker/go-units"
	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

func TestLimitsOfResources(t *testing.T) {
	yes, number, none := true, int64(7), int64(-1)
	for name, tc := range map[string]struct {
		r    container.Resources
		want driver.Limits
	}{
		"nothing":          {container.Resources{}, driver.Limits{}},
		"memory and swap":  {container.Resources{Memory: 1 << 26, MemorySwap: 1 << 27, MemoryReservation: 1 << 25}, driver.Limits{MemoryBytes: 1 << 26, MemorySwapBytes: 1 << 27, MemoryLowBytes: 1 << 25}},
		"endless swap":     {container.Resources{Memory: 1 << 26, MemorySwap: -1}, driver.Limits{MemoryBytes: 1 << 26, MemorySwapBytes: -1}},
		"swap alone":       {container.Resources{MemorySwap: -1}, driver.Limits{}},
		"CPUs":             {container.Resources{NanoCPUs: 1_500_000_000}, driver.Limits{CPUQuota: 150 * time.Millisecond, CPUPeriod: 100 * time.Millisecond}},
		"a hundredth":      {container.Resources{NanoCPUs: 10_000_000}, driver.Limits{CPUQuota: time.Millisecond, CPUPeriod: 100 * time.Millisecond}},
		"quota and period": {container.Resources{CPUQuota: 5000, CPUPeriod: 20000}, driver.Limits{CPUQuota: 5 * time.Millisecond, CPUPeriod: 20 * time.Millisecond}},
		"no quota":         {container.Resources{CPUQuota: -1}, driver.Limits{}},
		"processes":        {container.Resources{PidsLimit: &number}, driver.Limits{Pids: 7}},
		"any processes":    {container.Resources{PidsLimit: &none}, driver.Limits{}},
		"weights and sets": {container.Resources{CPUShares: 2, CpusetCpus: "0-1", CpusetMems: "0", BlkioWeight: 10, OomKillDisable: &yes},
			driver.Limits{CPUShares: 2, CPUs: "0-1", Mems: "0", BlkioWeight: 10, OOMKillDisabled: true}},
	} {
		if diff := cmp.Diff(tc.want, limits(&tc.r)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCheckLimits(t *testing.T) {
	minus, much := int64(-1), int64(101)
	for want, h := range map[string]container.HostConfig{
		"Minimum memory limit allowed is 6MB":                                              {Resources: container.Resources{Memory: minMemory - 1}},
		"Minimum memoryswap limit should be larger than memory limit, see usage":           {Resources: container.Resources{Memory: 1 << 26, MemorySwap: 1 << 25}},
		"You should always set the Memory limit when using Memoryswap limit, see usage":    {Resources: container.Resources{MemorySwap: 1 << 25}},
		"invalid memory-swap limit -5":                                                     {Resources: container.Resources{Memory: 1 << 26, MemorySwap: -5}},
		"Invalid value: 101, valid memory swappiness range is 0-100":                       {Resources: container.Resources{MemorySwappiness: &much}},
		"Invalid value: -1, valid memory swappiness range is 0-100":                        {Resources: container.Resources{MemorySwappiness: &minus}},
		"Minimum memory reservation allowed is 6MB":                                        {Resources: container.Resources{MemoryReservation: 5}},
		"Minimum memory limit can not be less than memory reservation limit, see usage":    {Resources: container.Resources{Memory: 1 << 26, MemoryReservation: 1 << 27}},
		"Conflicting options: Nano CPUs and CPU Period cannot both be set":                 {Resources: container.Resources{NanoCPUs: 1e9, CPUPeriod: 1e5}},
		"Conflicting options: Nano CPUs and CPU Quota cannot both be set":                  {Resources: container.Resources{NanoCPUs: 1e9, CPUQuota: 1e5}},
		"invalid number of CPUs -1.00":                                                     {Resources: container.Resources{NanoCPUs: -1e9}},
		"the kernel gives out no less than 0.01":                                           {Resources: container.Resources{NanoCPUs: 5e6}},
		"CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s":            {Resources: container.Resources{CPUPeriod: 10}},
		"CPU cfs quota can not be less than 1ms (i.e. 1000)":                               {Resources: container.Resources{CPUQuota: 10}},
		"Your kernel does not support CPU real-time scheduler":                             {Resources: container.Resources{CPURealtimeRuntime: 10}},
		"invalid CPU shares (-1): value must be a positive integer":                        {Resources: container.Resources{CPUShares: -1}},
		"Range of blkio weight is from 10 to 1000":                                         {Resources: container.Resources{BlkioWeight: 1001}},
		"invalid ulimit type: as":                                                          {Resources: container.Resources{Ulimits: []*container.Ulimit{{Name: "as"}}}},
		"ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited)": {Resources: container.Resources{Ulimits: []*units.Ulimit{{Name: "nofile", Soft: -1, Hard: 5}}}},
		"expected numbers from 0, or -1 for no limit":                                      {Resources: container.Resources{Ulimits: []*units.Ulimit{{Name: "nofile", Soft: math.MinInt64, Hard: 5}}}},
		"SHM size can not be less than 0":                                                  {ShmSize: -1},
		"Invalid value -1001, range for oom score adj is [-1000, 1000]":                    {OomScoreAdj: -1001},
	} {
		if err := checkLimits(&h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := checkLimits(&container.HostConfig{Resources: container.Resources{Memory: minMemory, MemorySwap: -1, CPUShares: 1, NanoCPUs: 1e7, BlkioWeight: 10}}); err != nil {
		t.Error(err)
	}
}

// What a machine can't keep is left out and told, with docker's words.
func TestLeaveOut(t *testing.T) {
	yes, ten := true, int64(10)
	all := func() container.Resources {
		return container.Resources{Memory: 1 << 26, MemorySwappiness: &ten, OomKillDisable: &yes, BlkioWeight: 100}
	}
	r := all()
	if w := leaveOut(&r, driver.Capacity{Swap: true, Swappiness: true, OOMKill: true, BlkioWeight: true}); len(w) != 0 || r.MemorySwap != 1<<27 || r.BlkioWeight != 100 || !*r.OomKillDisable {
		t.Errorf("%q, %+v", w, r)
	}
	r = all()
	w := leaveOut(&r, driver.Capacity{})
	if len(w) != 4 || r.MemorySwap != -1 || r.MemorySwappiness != nil || r.OomKillDisable != nil || r.BlkioWeight != 0 || r.Memory != 1<<26 {
		t.Errorf("%q, %+v", w, r)
	}
	r = container.Resources{OomKillDisable: &yes}
	if w := leaveOut(&r, driver.Capacity{OOMKill: true}); len(w) != 1 || !strings.Contains(w[0], "no memory limit is set") {
		t.Errorf("%q", w)
	}
}

func TestMergeUpdate(t *testing.T) {
	five := int64(5)
	h := container.HostConfig{Resources: container.Resources{Memory: 1 << 26, MemorySwap: 1 << 27, NanoCPUs: 1e9, CPUShares: 9}}
	err := mergeUpdate(&h, &container.UpdateConfig{Resources: container.Resources{Memory: 1 << 25, PidsLimit: &five, CPUShares: 1 << 20}, RestartPolicy: container.RestartPolicy{Name: "always"}})
	if err != nil || h.Memory != 1<<25 || h.MemorySwap != 1<<27 || *h.PidsLimit != 5 || h.CPUShares != maxShares || h.NanoCPUs != 1e9 || h.RestartPolicy.Name != "always" {
		t.Errorf("%v, %+v", err, h)
	}
	for want, u := range map[string]container.UpdateConfig{
		"CPU Quota cannot be updated as NanoCPUs has already been set":           {Resources: container.Resources{CPUQuota: 5000}},
		"CPU Period cannot be updated as NanoCPUs has already been set":          {Resources: container.Resources{CPUPeriod: 5000}},
		"Memory limit should be smaller than already set memoryswap limit":       {Resources: container.Resources{Memory: 1 << 28}},
		"Minimum memoryswap limit should be larger than memory limit":            {Resources: container.Resources{MemorySwap: 1 << 24}},
		"Restart policy cannot be updated because AutoRemove is enabled for the": {RestartPolicy: container.RestartPolicy{Name: "always"}},
	} {
		h := container.HostConfig{AutoRemove: true, Resources: container.Resources{Memory: 1 << 26, MemorySwap: 1 << 27, NanoCPUs: 1e9}}
		if err := mergeUpdate(&h, &u); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	h = container.HostConfig{Resources: container.Resources{CPUPeriod: 5000}}
	if err := mergeUpdate(&h, &container.UpdateConfig{Resources: container.Resources{NanoCPUs: 1e9}}); err == nil {
		t.Error("CPUs and a period together")
	}
	if err := mergeUpdate(&h, &container.UpdateConfig{Resources: container.Resources{MemorySwap: 1 << 28}}); err == nil {
		t.Error("swap without memory")
	}
}
