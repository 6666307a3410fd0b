package image

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/learn-containers/learn/engine/oci"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// diffConfigs compares the configs, fields included that the engine doesn't know.
func (s *Store) diffConfigs(d *Diff, a, b Image) error {
	f := &fields{}
	f.platform(a.Config, b.Config)
	f.settings(a.Config.Config, b.Config.Config)
	rawA, err := s.blobs.ReadAll(a.ID, oci.MaxJSON)
	if err != nil {
		return err
	}
	rawB, err := s.blobs.ReadAll(b.ID, oci.MaxJSON)
	if err != nil {
		return err
	}
	if err := f.others(rawA, rawB); err != nil {
		return err
	}
	f.moment("Created", "", a.Config.Created, b.Config.Created)
	f.history(a.Config.History, b.Config.History)
	d.Config, d.ConfigTimes = append(d.Config, f.list...), append(d.ConfigTimes, f.times...)
	d.Reencoded = len(f.list)+len(f.times) == 0 && slices.Equal(a.DiffIDs(), b.DiffIDs())
	return nil
}

// fields collects what differs.
type fields struct {
	list, times []DiffField
}

// text compares values for which being empty is being absent.
func (f *fields) text(field, key, a, b string) {
	switch {
	case a == b:
	case a == "":
		f.list = append(f.list, DiffField{DiffAdded, field, key, "", b})
	case b == "":
		f.list = append(f.list, DiffField{DiffDeleted, field, key, a, ""})
	default:
		f.list = append(f.list, DiffField{DiffChanged, field, key, a, b})
	}
}

func (f *fields) words(field string, a, b []string) { f.text(field, "", wordsText(a), wordsText(b)) }

// wordsText is a list as JSON; none and an empty one are the same.
func wordsText(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return jsonOf(words)
}

// jsonOf is v, which holds nothing that JSON can't.
func jsonOf(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return strings.TrimSpace(b.String())
}

// entries compares the entries of a field, by key; an empty value differs from none.
func (f *fields) entries(field string, a, b map[string]string) {
	keys := maps.Clone(a)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, b)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		va, inA := a[k]
		vb, inB := b[k]
		switch {
		case !inA:
			f.list = append(f.list, DiffField{DiffAdded, field, k, "", vb})
		case !inB:
			f.list = append(f.list, DiffField{DiffDeleted, field, k, va, ""})
		case va != vb:
			f.list = append(f.list, DiffField{DiffChanged, field, k, va, vb})
		}
	}
}

func (f *fields) platform(a, b oci.Image) {
	f.text("Architecture", "", a.Architecture, b.Architecture)
	f.text("Variant", "", a.Variant, b.Variant)
	f.text("Os", "", a.OS, b.OS)
	f.text("OsVersion", "", a.OSVersion, b.OSVersion)
	f.words("OsFeatures", a.OSFeatures, b.OSFeatures)
	f.text("Author", "", a.Author, b.Author)
}

func (f *fields) settings(a, b oci.ImageConfig) {
	f.env(a.Env, b.Env)
	f.words("Entrypoint", a.Entrypoint, b.Entrypoint)
	f.words("Cmd", a.Cmd, b.Cmd)
	f.text("WorkingDir", "", a.WorkingDir, b.WorkingDir)
	f.text("User", "", a.User, b.User)
	f.entries("ExposedPorts", keysOf(a.ExposedPorts), keysOf(b.ExposedPorts))
	f.entries("Volumes", keysOf(a.Volumes), keysOf(b.Volumes))
	f.entries("Labels", a.Labels, b.Labels)
	f.text("Healthcheck", "", healthText(a.Healthcheck), healthText(b.Healthcheck))
	f.text("StopSignal", "", a.StopSignal, b.StopSignal)
	f.text("StopTimeout", "", numberText(a.StopTimeout), numberText(b.StopTimeout))
	f.words("Shell", a.Shell, b.Shell)
	f.words("OnBuild", a.OnBuild, b.OnBuild)
	f.text("ArgsEscaped", "", boolText(a.ArgsEscaped), boolText(b.ArgsEscaped))
}

// env compares variables one by one, and then their order, which decides when a name is given twice.
func (f *fields) env(a, b []string) {
	n := len(f.list)
	f.entries("Env", variables(a), variables(b))
	if n == len(f.list) {
		f.words("Env", a, b)
	}
}

func variables(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, e := range env {
		k, v, _ := strings.Cut(e, "=")
		m[k] = v
	}
	return m
}

func keysOf(set map[string]struct{}) map[string]string {
	m := make(map[string]string, len(set))
	for k := range set {
		m[k] = ""
	}
	return m
}

func healthText(h *oci.HealthConfig) string {
	if h == nil {
		return ""
	}
	return jsonOf(h)
}

func numberText(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func boolText(v bool) string {
	if v {
		return "true"
	}
	return ""
}

// moment compares times; absent is another time than any.
func (f *fields) moment(field, key string, a, b *time.Time) {
	x, y := timeText(a), timeText(b)
	if x == y {
		return
	}
	sub := &fields{}
	sub.text(field, key, x, y)
	f.times = append(f.times, sub.list...)
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// maxSteps bounds the histories of which it is found out which steps both have; a longer one is taken whole.
const maxSteps = 1000

// history compares the steps; one is numbered from 1 in the image that has it. Steps that both have may differ in their times.
func (f *fields) history(a, b []v1.History) {
	same := commonSteps(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && same != nil && same[i][j] > 0 && stepKey(a[i]) == stepKey(b[j]):
			f.moment("History", strconv.Itoa(j+1), a[i].Created, b[j].Created)
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || same == nil || same[i+1][j] >= same[i][j+1]):
			f.list = append(f.list, DiffField{DiffDeleted, "History", strconv.Itoa(i + 1), stepText(a[i]), ""})
			i++
		default:
			f.list = append(f.list, DiffField{DiffAdded, "History", strconv.Itoa(j + 1), "", stepText(b[j])})
			j++
		}
	}
}

// commonSteps gives at [i][j] how many steps a[i:] and b[j:] have in common, in order; nil for histories that are too long.
func commonSteps(a, b []v1.History) [][]int {
	if len(a) > maxSteps || len(b) > maxSteps {
		return nil
	}
	same := make([][]int, len(a)+1)
	same[len(a)] = make([]int, len(b)+1)
	for i := len(a) - 1; i >= 0; i-- {
		same[i] = make([]int, len(b)+1)
		for j := len(b) - 1; j >= 0; j-- {
			same[i][j] = max(same[i+1][j], same[i][j+1])
			if stepKey(a[i]) == stepKey(b[j]) {
				same[i][j] = same[i+1][j+1] + 1
			}
		}
	}
	return same
}

// stepKey is a step without its time.
func stepKey(h v1.History) v1.History {
	h.Created = nil
	return h
}

// stepText is a step for people. Comments that every step of a builder has are left out.
func stepText(h v1.History) string {
	text := strings.TrimSuffix(h.CreatedBy, " # buildkit")
	if h.Author != "" {
		text += " (author " + h.Author + ")"
	}
	if h.Comment != "" && h.Comment != "buildkit.dockerfile.v0" {
		text += " (" + h.Comment + ")"
	}
	if h.EmptyLayer {
		text += " (no layer)"
	}
	return text
}

// others compares the fields that the engine doesn't know, at the top and in "config".
func (f *fields) others(a, b []byte) error {
	topA, configA, err := unknown(a)
	if err != nil {
		return err
	}
	topB, configB, err := unknown(b)
	if err != nil {
		return err
	}
	f.entries("Other", topA, topB)
	f.entries("Config.Other", configA, configB)
	return nil
}

// unknown gives the fields of a config that oci.Image doesn't have, as compact JSON.
func unknown(data []byte) (top, config map[string]string, err error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, nil, fmt.Errorf("read image config: %w", err)
	}
	var inner map[string]json.RawMessage
	for k, v := range all {
		if strings.EqualFold(k, "config") {
			if err := json.Unmarshal(v, &inner); err != nil {
				return nil, nil, fmt.Errorf("read image config: %w", err)
			}
		}
	}
	return compactExcept(all, topFields()), compactExcept(inner, settingFields()), nil
}

func topFields() []string {
	return []string{"created", "author", "architecture", "variant", "os", "os.version", "os.features", "config", "rootfs", "history"}
}

func settingFields() []string {
	return []string{"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "StopTimeout",
		"ArgsEscaped", "Healthcheck", "OnBuild", "Shell"}
}

func compactExcept(m map[string]json.RawMessage, known []string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if slices.ContainsFunc(known, func(have string) bool { return strings.EqualFold(have, k) }) {
			continue
		}
		var b bytes.Buffer
		if err := json.Compact(&b, v); err == nil && b.String() != "null" {
			out[k] = b.String()
		}
	}
	return out
}
