package container_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "github.com/moby/moby/api/types/container"

	"github.com/learn-containers/learn/engine/container"
	"github.com/learn-containers/learn/engine/driver"
	"github.com/learn-containers/learn/engine/driver/jsonfile"
	"github.com/learn-containers/learn/engine/oci"
)

func logConfig(name string, pairs ...string) api.LogConfig {
	l := api.LogConfig{Type: name, Config: map[string]string{}}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		l.Config[k] = v
	}
	return l
}

// The sentences are docker's.
func TestLogOptionsThatAreRefused(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	const noInit = "failed to initialize logging driver: "
	for _, c := range []struct {
		log  api.LogConfig
		want string
	}{
		{logConfig("", "foo=1"), "unknown log opt 'foo' for json-file log driver"},
		{logConfig("local", "labels=a"), "unknown log opt 'labels' for log driver local"},
		{logConfig("none", "max-size=1k"), "invalid logging opts for driver none"},
		{logConfig("syslog"), `logging driver "syslog" is not there: output is kept by json-file or local, or not at all with none`},
		{logConfig("", "max-size=abc"), noInit + "invalid size: 'abc'"},
		{logConfig("", "max-size"), noInit + "invalid size: ''"},
		{logConfig("", "max-size=0"), noInit + "max-size must be a positive number"},
		{logConfig("", "max-size=1k", "max-file=x"), noInit + `max-file: strconv.Atoi: parsing "x": invalid syntax`},
		{logConfig("", "max-size=1k", "max-file=0"), noInit + "max-file cannot be less than 1"},
		{logConfig("", "compress=true"), noInit + "compress cannot be true when max-file is less than 2 or max-size is not set"},
		{logConfig("", "max-size=1k", "max-file=2", "compress=zz"), noInit + `compress: strconv.ParseBool: parsing "zz": invalid syntax`},
		{logConfig("", "labels-regex=("), noInit + "error parsing regexp: missing closing ): `(`"},
		{logConfig("", "env-regex=("), noInit + "error parsing regexp: missing closing ): `(`"},
		{logConfig("", "tag={{"), noInit + "template: log-tag:1: unclosed action"},
		{logConfig("", "tag={{.Foo}}"), noInit + `template: log-tag:1:2: executing "log-tag" at <.Foo>: can't evaluate field Foo`},
	} {
		_, err := b.Create(b.ctx, container.CreateOptions{Image: "img", HostConfig: api.HostConfig{LogConfig: c.log}})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.log, err, c.want)
		}
	}
}

func TestWhatTheDriverIsTold(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	for name, c := range map[string]struct {
		log   api.LogConfig
		file  bool
		want  driver.Rotation
		attrs map[string]string
	}{
		"plain":   {log: logConfig(""), file: true, want: driver.Rotation{MaxFiles: 1}},
		"rotates": {log: logConfig("json-file", "max-size=2k", "max-file=3", "compress=true"), file: true, want: driver.Rotation{MaxBytes: 2000, MaxFiles: 3, Compress: true}},
		"local":   {log: logConfig("local", "max-file=2"), file: true, want: driver.Rotation{MaxBytes: 20 << 20, MaxFiles: 2, Compress: true}},
		"none":    {log: logConfig("none")},
		"attrs": {log: logConfig("json-file", "labels=a,none", "labels-regex=^b", "env=FOO", "env-regex=^BA", "tag={{.Name}}/{{upper .ImageName}}"), file: true, want: driver.Rotation{MaxFiles: 1},
			attrs: map[string]string{"a": "1", "bb": "2", "FOO": "b r", "BAR": "x=y", "tag": "attrs/IMG"}},
	} {
		t.Run(name, func(t *testing.T) {
			made, err := b.Create(b.ctx, container.CreateOptions{Name: name, Image: "img",
				Config:     api.Config{Env: []string{"FOO=b r", "BAR=x=y", "OTHER=1"}, Labels: map[string]string{"a": "1", "bb": "2", "c": "3"}},
				HostConfig: api.HostConfig{LogConfig: c.log}})
			b.must(err)
			b.start(name)
			spec := b.task(made.ID).spec
			if (spec.Log != "") != c.file || c.file && spec.Rotation != c.want {
				t.Errorf("log %q, %+v, want %v, %+v", spec.Log, spec.Rotation, c.file, c.want)
			}
			if diff := cmp.Diff(c.attrs, spec.LogAttrs); diff != "" && len(c.attrs)+len(spec.LogAttrs) > 0 {
				t.Error(diff)
			}
			err = b.Logs(b.ctx, name, container.LogOptions{}, nil, nil)
			if none := err != nil && err.Error() == "configured logging driver does not support reading"; none == c.file || c.file && err != nil {
				t.Errorf("logs: %v", err)
			}
		})
	}
}

// What was rotated away is shown with the rest, and with its details.
func TestLogsOfManyFiles(t *testing.T) {
	b := newBench(t, oci.ImageConfig{Cmd: []string{"sleep"}})
	c := b.create("web")
	l, err := jsonfile.Open(jsonfile.Options{Path: c.LogPath, Now: time.Now, MaxBytes: 150, MaxFiles: 10, Compress: true, Attrs: map[string]string{"b": "x y", "a": "1"}})
	b.must(err)
	for _, text := range []string{"1\n", "2\n", "3\n", "4\n", "5\n"} {
		_, _ = l.Stream("stdout").Write([]byte(text))
	}
	l.Close()
	for _, tt := range []struct {
		opts container.LogOptions
		want string
	}{
		{container.LogOptions{}, "1\n2\n3\n4\n5\n"},
		{container.LogOptions{Tail: "4"}, "2\n3\n4\n5\n"},
		{container.LogOptions{Tail: "1", Details: true}, "a=1,b=x+y 5\n"},
	} {
		var out bytes.Buffer
		b.must(b.Logs(b.ctx, "web", tt.opts, &out, nil))
		if out.String() != tt.want {
			t.Errorf("%+v: %q", tt.opts, out.String())
		}
	}
}
