package container

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/driver"
)

// The log drivers. Both that keep a log keep it in the same format, from which docker logs reads; local is the one with bounds of its own.
const (
	logDriver = "json-file"
	logLocal  = "local"
	logNone   = "none"
)

// localRotation is what docker's driver local does unless it is told otherwise.
func localRotation() driver.Rotation {
	return driver.Rotation{MaxBytes: 20 << 20, MaxFiles: 5, Compress: true}
}

// logOptions are the options of each log driver.
var logOptions = map[string][]string{
	logDriver: {"max-file", "max-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag"},
	logLocal:  {"max-file", "max-size", "compress"},
}

// specLog adds where the output goes.
func (m *Manager) specLog(_ context.Context, c *Container, s *driver.Spec) error {
	s.Log = c.LogPath
	if s.Log == "" {
		return nil
	}
	var err error
	if s.Rotation, err = rotation(c.HostConfig.LogConfig); err != nil {
		return err
	}
	s.LogAttrs, err = logAttrs(c)
	return err
}

// logFile is the file of a new container's log; empty if none is kept.
func (m *Manager) logFile(c *Container) string {
	switch c.HostConfig.LogConfig.Type {
	case logDriver:
		return filepath.Join(m.dir(c.ID), c.ID+"-json.log")
	case logLocal:
		return filepath.Join(m.dir(c.ID), "container.log")
	}
	return ""
}

// checkLog refuses what the record could not be started with.
func checkLog(h *container.HostConfig) error {
	l := h.LogConfig
	name := or(l.Type, logDriver)
	known := logOptions[name]
	if name == logNone && len(l.Config) > 0 {
		return invalid("invalid logging opts for driver none")
	}
	if known == nil && name != logNone {
		return invalid("logging driver %q is not there: output is kept by json-file or local, or not at all with none", name)
	}
	for _, k := range slices.Sorted(maps.Keys(l.Config)) {
		if !slices.Contains(known, k) {
			return unknownLogOption(name, k)
		}
	}
	if _, err := rotation(l); err != nil {
		return err
	}
	_, err := logAttrs(&Container{Config: &container.Config{}, HostConfig: h})
	return err
}

func unknownLogOption(name, key string) error {
	if name == logLocal {
		return invalid("unknown log opt '%s' for log driver local", key)
	}
	return invalid("unknown log opt '%s' for %s log driver", key, name)
}

func noLogging(err error) error { return invalid("failed to initialize logging driver: %v", err) }

// rotation reads max-size, max-file and compress.
func rotation(l container.LogConfig) (driver.Rotation, error) {
	r := driver.Rotation{MaxFiles: 1}
	if l.Type == logLocal {
		r = localRotation()
	}
	if s, ok := l.Config["max-size"]; ok {
		n, err := units.FromHumanSize(s)
		if err != nil {
			return r, noLogging(err)
		}
		if n <= 0 {
			return r, noLogging(fmt.Errorf("max-size must be a positive number"))
		}
		r.MaxBytes = n
	}
	if s, ok := l.Config["max-file"]; ok {
		n, err := strconv.Atoi(s)
		if err != nil {
			return r, noLogging(fmt.Errorf("max-file: %w", err))
		}
		if n < 1 {
			return r, noLogging(fmt.Errorf("max-file cannot be less than 1"))
		}
		r.MaxFiles = n
	}
	s, ok := l.Config["compress"]
	if !ok {
		return r, nil
	}
	var err error
	if r.Compress, err = strconv.ParseBool(s); err != nil {
		return r, noLogging(fmt.Errorf("compress: %w", err))
	}
	if r.Compress && (r.MaxFiles < 2 || r.MaxBytes == 0) {
		return r, noLogging(fmt.Errorf("compress cannot be true when max-file is less than 2 or max-size is not set"))
	}
	return r, nil
}

// logAttrs is what is written beside each line: labels and variables that the options name, and the tag.
func logAttrs(c *Container) (map[string]string, error) {
	o := c.HostConfig.LogConfig.Config
	attrs := map[string]string{}
	env := map[string]string{}
	for _, kv := range c.Config.Env {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	for _, from := range []struct {
		option string
		pairs  map[string]string
	}{{"labels", c.Config.Labels}, {"env", env}} {
		if err := pick(attrs, from.pairs, o[from.option], o[from.option+"-regex"]); err != nil {
			return nil, noLogging(err)
		}
	}
	if o["tag"] == "" {
		return attrs, nil
	}
	tag, err := logTag(c, o["tag"])
	if err != nil {
		return nil, noLogging(err)
	}
	if tag != "" {
		attrs["tag"] = tag
	}
	return attrs, nil
}

// pick copies the pairs whose keys are in the list, or match the pattern.
func pick(to, from map[string]string, list, pattern string) error {
	for k := range strings.SplitSeq(list, ",") {
		if v, ok := from[k]; ok {
			to[k] = v
		}
	}
	if pattern == "" {
		return nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	for k, v := range from {
		if re.MatchString(k) {
			to[k] = v
		}
	}
	return nil
}

// logTag fills in a tag's template, with the names that docker's documentation lists ("Customize log driver output").
func logTag(c *Container, text string) (string, error) {
	t, err := template.New("log-tag").Funcs(template.FuncMap{"join": strings.Join, "split": strings.Split, "lower": strings.ToLower, "upper": strings.ToUpper}).Parse(text)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = t.Execute(&out, struct{ ID, FullID, Name, ImageID, ImageFullID, ImageName, DaemonName string }{
		fmt.Sprintf("%.12s", c.ID), c.ID, c.Name, fmt.Sprintf("%.12s", c.Image.String()), c.Image.String(), c.ImageName, "docker",
	})
	return out.String(), err
}
