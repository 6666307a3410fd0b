// Command whole times commands as whole processes, turn by turn (A B C A B C ...), so that all of them see the same moods of
// the machine, and prints each one's median and how many times the first one's median that is.
//
// It reads cases from standard input, one a line: label, tab, preparation (run by sh, not timed), tab, command (split at spaces).
package main

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

type benchCase struct {
	label, prepare string
	argv           []string
	times          []time.Duration
	peakKiB        int64
	failed         int
	lastError      string
}

func main() {
	rounds := flag.Int("n", 20, "counted rounds")
	warm := flag.Int("w", 2, "rounds before the counted ones")
	flag.Parse()
	cases, err := read(os.Stdin)
	if err != nil || len(cases) == 0 {
		fmt.Fprintln(os.Stderr, "whole: no cases:", err)
		os.Exit(2)
	}
	for i := range *warm + *rounds {
		for _, c := range cases {
			c.run(i >= *warm)
		}
	}
	report(cases)
}

func read(in io.Reader) ([]*benchCase, error) {
	var cases []*benchCase
	sc := bufio.NewScanner(in)
	for sc.Scan() {
		f := strings.Split(sc.Text(), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("line %q: want label, preparation and command with tabs between", sc.Text())
		}
		cases = append(cases, &benchCase{label: f[0], prepare: f[1], argv: strings.Fields(f[2])})
	}
	return cases, sc.Err()
}

func (c *benchCase) run(counted bool) {
	if c.prepare != "" {
		_ = exec.Command("sh", "-c", c.prepare).Run()
	}
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	var errs strings.Builder
	cmd.Stderr = &errs
	begun := time.Now()
	err := cmd.Run()
	took := time.Since(begun)
	if !counted {
		return
	}
	if err != nil {
		c.failed++
		c.lastError = strings.TrimSpace(errs.String())
	}
	c.times = append(c.times, took)
	if cmd.ProcessState == nil {
		return
	}
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peakKiB = max(c.peakKiB, ru.Maxrss)
	}
}

func (c *benchCase) median() time.Duration {
	t := slices.Clone(c.times)
	slices.SortFunc(t, cmp.Compare[time.Duration])
	return t[len(t)/2]
}

func report(cases []*benchCase) {
	fmt.Printf("%-34s %10s %10s %10s %8s %9s %s\n", "case", "median ms", "min", "max", "ratio", "peak KiB", "failed")
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	first := cases[0].median()
	for _, c := range cases {
		fmt.Printf("%-34s %10.2f %10.2f %10.2f %8.2f %9d %d\n", c.label, ms(c.median()), ms(slices.Min(c.times)), ms(slices.Max(c.times)),
			float64(c.median())/float64(first), c.peakKiB, c.failed)
		if c.lastError != "" {
			fmt.Printf("    %s\n", c.lastError)
		}
	}
}
