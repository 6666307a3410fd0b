package docker

import (
	"strconv"
	"strings"
	"time"

	ctypes "github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// lifecycleFlags say how a container ends and what happens then.
type lifecycleFlags struct {
	rm          bool
	restart     string
	stopSignal  string
	stopTimeout int
	health      healthFlags
	set         *pflag.FlagSet
}

func (f *lifecycleFlags) register(fl *pflag.FlagSet) {
	f.set = fl
	fl.BoolVar(&f.rm, "rm", false, "Automatically remove the container when it exits")
	fl.StringVar(&f.restart, "restart", "no", `Restart policy to apply when a container exits ("no", "on-failure[:MAX]", "always", "unless-stopped")`)
	fl.StringVar(&f.stopSignal, "stop-signal", "", "Signal to stop the container")
	fl.IntVar(&f.stopTimeout, "stop-timeout", 0, "Timeout (in seconds) to stop a container")
	f.health.register(fl)
}

func (f *lifecycleFlags) apply(_ *App, cfg *ctypes.Config, host *ctypes.HostConfig) error {
	host.AutoRemove, cfg.StopSignal = f.rm, f.stopSignal
	if f.set.Changed("stop-timeout") {
		cfg.StopTimeout = &f.stopTimeout
	}
	var err error
	if host.RestartPolicy, err = restartPolicy(f.restart); err != nil {
		return err
	}
	if f.rm && host.RestartPolicy.Name != ctypes.RestartPolicyDisabled && host.RestartPolicy.Name != "" {
		return usagef("conflicting options: cannot specify both --restart and --rm")
	}
	cfg.Healthcheck, err = f.health.config(f.set)
	return err
}

// restartPolicy reads a policy as --restart takes it. Whether the words make sense the engine says.
func restartPolicy(s string) (ctypes.RestartPolicy, error) {
	name, times, limited := strings.Cut(s, ":")
	if limited && name == "" {
		return ctypes.RestartPolicy{}, usagef("invalid restart policy format: no policy provided before colon")
	}
	p := ctypes.RestartPolicy{Name: ctypes.RestartPolicyMode(name)}
	if limited && times != "" {
		n, err := strconv.Atoi(times)
		if err != nil {
			return p, usagef("invalid restart policy format: maximum retry count must be an integer")
		}
		p.MaximumRetryCount = n
	}
	return p, nil
}

// healthFlags say how the engine finds out whether a container does its work.
type healthFlags struct {
	cmd                                           string
	interval, timeout, startPeriod, startInterval time.Duration
	retries                                       int
	none                                          bool
}

func (f *healthFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.cmd, "health-cmd", "", "Command to run to check health")
	fl.DurationVar(&f.interval, "health-interval", 0, "Time between running the check (ms|s|m|h) (default 0s)")
	fl.IntVar(&f.retries, "health-retries", 0, "Consecutive failures needed to report unhealthy")
	fl.DurationVar(&f.timeout, "health-timeout", 0, "Maximum time to allow one check to run (ms|s|m|h) (default 0s)")
	fl.DurationVar(&f.startPeriod, "health-start-period", 0, "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)")
	fl.DurationVar(&f.startInterval, "health-start-interval", 0, "Time between running the check during the start period (ms|s|m|h) (default 0s)")
	fl.BoolVar(&f.none, "no-healthcheck", false, "Disable any container-specified HEALTHCHECK")
}

// config is nil when no flag says anything, so that the image's check holds.
func (f *healthFlags) config(set *pflag.FlagSet) (*ctypes.HealthConfig, error) {
	given := false
	set.Visit(func(fl *pflag.Flag) { given = given || strings.HasPrefix(fl.Name, "health-") })
	switch {
	case f.none && given:
		return nil, usagef("--no-healthcheck conflicts with --health-* options")
	case f.none:
		return &ctypes.HealthConfig{Test: []string{"NONE"}}, nil
	case !given:
		return nil, nil
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"interval", f.interval}, {"timeout", f.timeout}, {"start-period", f.startPeriod}, {"start-interval", f.startInterval}} {
		if d.value < 0 {
			return nil, usagef("--health-%s cannot be negative", d.name)
		}
	}
	if f.retries < 0 {
		return nil, usagef("--health-retries cannot be negative")
	}
	h := &ctypes.HealthConfig{Interval: f.interval, Timeout: f.timeout, StartPeriod: f.startPeriod, StartInterval: f.startInterval, Retries: f.retries}
	if f.cmd != "" {
		h.Test = []string{"CMD-SHELL", f.cmd}
	}
	return h, nil
}
