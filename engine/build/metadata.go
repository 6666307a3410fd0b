package build

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/learn-containers/learn/engine/dockerfile"
	"github.com/learn-containers/learn/engine/oci"
)

// metadata carries out an instruction that only changes the config. The texts for the history are docker's.
func (st *stage) metadata(in dockerfile.Instruction, cmd dockerfile.Command) error {
	cfg := &st.config.Config
	switch c := cmd.(type) {
	case *dockerfile.Env:
		text := "ENV"
		for _, kv := range c.Env {
			st.setEnv(kv.Key, kv.Value)
			st.scope.SetEnv(kv.Key, kv.Value)
			text += " " + kv.String()
		}
		st.note(text, true)
	case *dockerfile.Arg:
		words, err := st.scope.Declare(in, c)
		if err != nil {
			return err
		}
		st.note("ARG "+strings.Join(words, " "), true)
	case *dockerfile.Label:
		text := "LABEL"
		for _, kv := range c.Labels {
			st.setLabel(kv.Key, kv.Value)
			text += " " + kv.String()
		}
		st.note(text, true)
	case *dockerfile.Cmd:
		cfg.Cmd, cfg.ArgsEscaped, st.cmdSet = st.commandLine(c.CmdLine, c.PrependShell), true, true
		st.note(fmt.Sprintf("CMD %q", cfg.Cmd), true)
	case *dockerfile.Entrypoint:
		cfg.Entrypoint = st.commandLine(c.CmdLine, c.PrependShell)
		if !st.cmdSet {
			cfg.Cmd = nil
		}
		st.note(fmt.Sprintf("ENTRYPOINT %q", cfg.Entrypoint), true)
	case *dockerfile.User:
		cfg.User = c.User
		st.note("USER "+c.User, true)
	case *dockerfile.Shell:
		cfg.Shell = c.Shell
		st.note(fmt.Sprintf("SHELL %v", c.Shell), true)
	default:
		return st.rareMetadata(in, cmd)
	}
	return nil
}

func (st *stage) rareMetadata(in dockerfile.Instruction, cmd dockerfile.Command) error {
	cfg := &st.config.Config
	switch c := cmd.(type) {
	case *dockerfile.Expose:
		return st.expose(in, c)
	case *dockerfile.Volume:
		if cfg.Volumes == nil {
			cfg.Volumes = map[string]struct{}{}
		}
		for _, v := range c.Volumes {
			cfg.Volumes[v] = struct{}{}
		}
		st.note(fmt.Sprintf("VOLUME %v", c.Volumes), true)
	case *dockerfile.StopSignal:
		if !validSignal(c.Signal) {
			return st.session.plan.File.Errorf(in, c.Signal, "invalid signal %s: give a name such as SIGTERM, or a number from 1 to 64", c.Signal)
		}
		cfg.StopSignal = c.Signal
		st.note("STOPSIGNAL "+c.Signal, true)
	case *dockerfile.Healthcheck:
		h := *c.Health
		cfg.Healthcheck = &oci.HealthConfig{Test: h.Test, Interval: h.Interval, Timeout: h.Timeout,
			StartPeriod: h.StartPeriod, StartInterval: h.StartInterval, Retries: h.Retries}
		st.note(fmt.Sprintf("HEALTHCHECK %+v", h), true)
	case *dockerfile.Onbuild:
		cfg.OnBuild = append(cfg.OnBuild, c.Expression)
	case *dockerfile.Maintainer:
		st.config.Author = c.Maintainer
		st.note("MAINTAINER "+c.Maintainer, true)
	default:
		return st.session.plan.File.Errorf(in, "", "%s is not supported by this builder", in.Name)
	}
	return nil
}

// commandLine puts the shell before a command in shell form.
func (st *stage) commandLine(words []string, shellForm bool) []string {
	if !shellForm {
		return words
	}
	return append(st.shell(), strings.Join(words, " "))
}

func (st *stage) shell() []string {
	if s := st.config.Config.Shell; len(s) > 0 {
		return append([]string(nil), s...)
	}
	return []string{"/bin/sh", "-c"}
}

func (st *stage) expose(in dockerfile.Instruction, c *dockerfile.Expose) error {
	var all []string
	for _, spec := range c.Ports {
		ports, err := parsePorts(spec)
		if err != nil {
			return st.session.plan.File.Errorf(in, spec, "invalid port %q: %v", spec, err)
		}
		all = append(all, ports...)
	}
	cfg := &st.config.Config
	if cfg.ExposedPorts == nil {
		cfg.ExposedPorts = map[string]struct{}{}
	}
	for _, p := range all {
		cfg.ExposedPorts[p] = struct{}{}
	}
	st.note(fmt.Sprintf("EXPOSE %v", all), true)
	return nil
}

// parsePorts reads 80, 80/udp, 8000-8010/tcp. Host addresses and ports before a colon are dropped, as docker does.
func parsePorts(spec string) ([]string, error) {
	ports, proto, hasProto := strings.Cut(spec, "/")
	proto = strings.ToLower(proto)
	if !hasProto {
		proto = "tcp"
	}
	if proto != "tcp" && proto != "udp" && proto != "sctp" {
		return nil, fmt.Errorf("protocol %q is none of tcp, udp, sctp", proto)
	}
	ports = ports[strings.LastIndexByte(ports, ':')+1:]
	low, high, isRange := strings.Cut(ports, "-")
	first, err := portNumber(low)
	last := first
	if err == nil && isRange {
		last, err = portNumber(high)
	}
	if err != nil {
		return nil, err
	}
	if last < first {
		return nil, fmt.Errorf("range %s ends before it begins", ports)
	}
	var out []string
	for p := first; p <= last; p++ {
		out = append(out, strconv.Itoa(p)+"/"+proto)
	}
	return out, nil
}

func portNumber(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no number from 0 to 65535", s)
	}
	return int(n), nil
}

// validSignal accepts a number, or a name with or without SIG.
func validSignal(s string) bool {
	if n, err := strconv.Atoi(s); err == nil {
		return n >= 1 && n <= 64
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if rt, ok := strings.CutPrefix(name, "RTMIN"); ok {
		return rt == "" || rt[0] == '+'
	}
	if rt, ok := strings.CutPrefix(name, "RTMAX"); ok {
		return rt == "" || rt[0] == '-'
	}
	const names = " ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS " +
		"TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ "
	return name != "" && strings.Contains(names, " "+name+" ")
}
