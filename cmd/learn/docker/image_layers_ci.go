package docker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"github.com/docker/go-units"
	"github.com/learn-containers/learn/cmd/learn/format"
	"gopkg.in/yaml.v3"
)

// ciRules are dive's three rules as text: a number, a size or "disabled".
type ciRules struct {
	Efficiency string `yaml:"lowestEfficiency"`
	Wasted     string `yaml:"highestWastedBytes"`
	UserPart   string `yaml:"highestUserWastedPercent"`
}

const (
	ciFile     = ".dive-ci"
	ciDisabled = "disabled"
	maxCIFile  = 1 << 20
)

// ciRules are the thresholds: of the flags, else of the file, else dive's own.
func (app *App) ciRules(f layersFlags) (ciRules, error) {
	r := ciRules{"0.9", ciDisabled, "0.1"}
	file, given := f.ciConfig, f.ciConfig != ""
	if !given {
		file = ciFile
	}
	err := r.read(app.path(file))
	if err != nil && (given || !errors.Is(err, fs.ErrNotExist)) {
		return r, usagef("read thresholds: %v", err)
	}
	for _, o := range []struct {
		value string
		to    *string
	}{{f.efficiency, &r.Efficiency}, {f.wasted, &r.Wasted}, {f.userPart, &r.UserPart}} {
		if o.value != "" {
			*o.to = o.value
		}
	}
	return r, r.check()
}

// read takes over what the file says: its key "rules", as dive reads it.
func (r *ciRules) read(name string) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	data, err := io.ReadAll(io.LimitReader(in, maxCIFile+1))
	if err == nil && len(data) > maxCIFile {
		err = fmt.Errorf("it is longer than %d bytes", maxCIFile)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true) // a rule with a mistake in its name would be one that always holds
	file := struct{ Rules *ciRules }{r}
	if err := dec.Decode(&file); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r ciRules) check() error {
	for _, rule := range []struct{ name, value string }{{"lowest efficiency", r.Efficiency}, {"highest user wasted percent", r.UserPart}} {
		if v, err := strconv.ParseFloat(rule.value, 64); rule.value != ciDisabled && (err != nil || !(v >= 0 && v <= 1)) {
			return usagef("%s %q: it must be a number from 0 to 1, or %q", rule.name, rule.value, ciDisabled)
		}
	}
	if _, err := units.FromHumanSize(r.Wasted); r.Wasted != ciDisabled && err != nil {
		return usagef("highest wasted bytes %q: it must be a size such as 20MB, or %q", r.Wasted, ciDisabled)
	}
	return nil
}

// ciVerdict is what came of one rule.
type ciVerdict struct {
	Rule   string `json:"rule"`
	Result string `json:"result"` // PASS, FAIL or SKIP
	Detail string `json:"detail,omitempty"`
}

// results holds the image against the rules, in dive's words.
func (l *lens) results(r ciRules) []ciVerdict {
	d := l.Dive
	list := []ciVerdict{{"highestUserWastedPercent", "PASS", ""}, {"highestWastedBytes", "PASS", ""}, {"lowestEfficiency", "PASS", ""}}
	for i, value := range []string{r.UserPart, r.Wasted, r.Efficiency} {
		if value == ciDisabled {
			list[i].Result, list[i].Detail = "SKIP", "rule disabled"
		}
	}
	fail := func(i int, layout string, args ...any) {
		if list[i].Result == "PASS" {
			list[i].Result, list[i].Detail = "FAIL", fmt.Sprintf(layout, args...)
		}
	}
	if most, err := strconv.ParseFloat(r.UserPart, 64); err == nil && d.UserWastedPercent > most {
		fail(0, "too many bytes wasted, relative to the user bytes added (%%-user-wasted-bytes=%v > threshold=%v)", d.UserWastedPercent, most)
	}
	if most, err := units.FromHumanSize(r.Wasted); err == nil && d.WastedBytes > most {
		fail(1, "too many bytes wasted (wasted-bytes=%d > threshold=%d)", d.WastedBytes, most)
	}
	if least, err := strconv.ParseFloat(r.Efficiency, 64); err == nil && d.Efficiency < least {
		fail(2, "image efficiency is too low (efficiency=%v < threshold=%v)", d.Efficiency, least)
	}
	return list
}

// judge prints the verdicts, and fails if one rule does.
func (l *lens) judge(r ciRules) error {
	list := l.results(r)
	count := map[string]int{}
	for _, v := range list {
		count[v.Result]++
	}
	total := "PASS"
	if count["FAIL"] > 0 {
		total = "FAIL"
	}
	if l.json {
		o := struct {
			Result string      `json:"result"`
			Rules  []ciVerdict `json:"rules"`
			Dive   any         `json:"dive"`
		}{total, list, l.Dive}
		if err := l.object(o); err != nil {
			return err
		}
	} else {
		l.printVerdicts(list)
		l.line("Result:%s [Total:%d] [Passed:%d] [Failed:%d] [Skipped:%d]", total, len(list), count["PASS"], count["FAIL"], count["SKIP"])
	}
	if total == "FAIL" {
		return &exitError{code: 1}
	}
	return nil
}

func (l *lens) printVerdicts(list []ciVerdict) {
	d := l.Dive
	l.line("  efficiency: %.4f %%", 100*d.Efficiency)
	l.line("  wastedBytes: %d bytes (%s)", d.WastedBytes, format.Size(d.WastedBytes))
	l.line("  userWastedPercent: %.4f %%", 100*d.UserWastedPercent)
	l.line("Inefficient Files:")
	l.line("Count  Wasted Space  File Path")
	most := 10
	if l.top > 0 {
		most = l.top
	}
	if len(d.Files) == 0 {
		l.line("None")
	}
	for _, f := range d.Files[:min(most, len(d.Files))] {
		l.line("%5d  %12s  %s", f.Layers, format.Size(f.Bytes), format.Clean(f.Path))
	}
	l.line("Results:")
	for _, v := range list {
		text := v.Result + ": " + v.Rule
		if v.Detail != "" {
			text += ": " + v.Detail
		}
		l.line("  %s", text)
	}
}
