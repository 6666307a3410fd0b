package dockerfile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// runOf gives the last instruction of the target, a RUN, in its scope.
func runOf(t *testing.T, text string, env ...string) (*Plan, *Scope, Instruction, *Run) {
	t.Helper()
	p, err := parse(t, text).Plan(PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	st := p.Stages[len(p.Stages)-1]
	s := p.Scope(st, env, nil)
	s.SetWorkdir("/app")
	in := st.Instructions[len(st.Instructions)-1]
	cmd, err := s.Expand(in)
	if err != nil {
		t.Fatal(err)
	}
	return p, s, in, cmd.(*Run)
}

func TestMounts(t *testing.T) {
	context, nothing := Source{Stage: -1}, Source{Stage: -1, Scratch: true}
	tests := map[string]Mount{
		"target=/x":                                                {Type: "bind", Target: "/x", From: context, Source: "/", ReadOnly: true},
		"type=bind,dst=rel/x/,src=a/../b,rw":                       {Type: "bind", Target: "/app/rel/x", From: context, Source: "/b"},
		"type=bind,target=/x,from=Two,source=/etc":                 {Type: "bind", Target: "/x", From: Source{Stage: 0}, Source: "/etc", ReadOnly: true},
		"type=bind,target=/x,from=alpine:3,readonly=false":         {Type: "bind", Target: "/x", From: Source{Stage: -1, Image: "alpine:3"}, Source: "/"},
		"type=bind,target=":                                        {Type: "bind", Target: "/app", From: context, Source: "/", ReadOnly: true},
		"type=cache,target=/root/.cache/":                          {Type: "cache", Target: "/root/.cache", ID: "/root/.cache", Sharing: "shared", From: nothing, Source: "/", Mode: 0o755},
		"type=cache,target=c,id=apt,sharing=locked,ro":             {Type: "cache", Target: "/app/c", ID: "apt", Sharing: "locked", From: nothing, Source: "/", Mode: 0o755, ReadOnly: true},
		"type=cache,target=c":                                      {Type: "cache", Target: "/app/c", ID: "c", Sharing: "shared", From: nothing, Source: "/", Mode: 0o755},
		"type=cache,target=/c,from=two,source=seed,mode=1777":      {Type: "cache", Target: "/c", ID: "/c", Sharing: "shared", From: Source{Stage: 0}, Source: "/seed", Mode: 0o1777},
		"type=cache,target=/c,uid=5,gid=6,mode=0700,sharing=$S":    {Type: "cache", Target: "/c", ID: "/c", Sharing: "private", From: nothing, Source: "/", UID: 5, GID: 6, Mode: 0o700},
		"type=tmpfs,target=/t,size=8m":                             {Type: "tmpfs", Target: "/t", From: context, Size: 8 << 20},
		"type=secret,id=tok":                                       {Type: "secret", Target: "/run/secrets/tok", ID: "tok", From: context, ReadOnly: true, Mode: 0o400},
		"type=secret,id=a/tok,required":                            {Type: "secret", Target: "/run/secrets/tok", ID: "a/tok", From: context, ReadOnly: true, Mode: 0o400, Required: true},
		"type=secret,target=/etc/tok,required=true,mode=444,uid=7": {Type: "secret", Target: "/etc/tok", ID: "tok", From: context, ReadOnly: true, Mode: 0o444, UID: 7, Required: true},
		"type=secret,id=tok,env=TOKEN":                             {Type: "secret", ID: "tok", Env: "TOKEN", From: context, ReadOnly: true, Mode: 0o400},
		"type=secret,id=tok,env=":                                  {Type: "secret", ID: "tok", Env: "tok", From: context, ReadOnly: true, Mode: 0o400},
		"type=secret,id=tok,env=T,target=/t":                       {Type: "secret", ID: "tok", Env: "T", Target: "/t", From: context, ReadOnly: true, Mode: 0o400},
		"type=secret,source=tok":                                   {Type: "secret", Target: "/run/secrets/tok", ID: "tok", From: context, ReadOnly: true, Mode: 0o400},
		"type=ssh":                                                 {Type: "ssh", Target: "/run/buildkit/ssh_agent.0", ID: "default", From: context, ReadOnly: true, Mode: 0o600},
		"type=ssh,id=git,target=/s,required,uid=3":                 {Type: "ssh", Target: "/s", ID: "git", From: context, ReadOnly: true, Mode: 0o600, UID: 3, Required: true},
		"type=$T,target=${D:-/no}/x,id=$ID,source=\"\"":            {Type: "cache", Target: "/d/x", ID: "1", Sharing: "shared", From: nothing, Source: "/", Mode: 0o755},
	}
	for flag, want := range tests {
		_, s, in, c := runOf(t, "FROM a AS two\nFROM a\nRUN --mount="+flag+" true\n", "T=cache", "D=/d", "ID=1", "S=private")
		got, err := s.Mounts(in, c)
		if err != nil {
			t.Errorf("%s: %v", flag, err)
			continue
		}
		if d := cmp.Diff([]Mount{want}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", flag, d)
		}
	}
}

func TestSeveralMounts(t *testing.T) {
	_, s, in, c := runOf(t, "FROM a\nRUN --mount=type=ssh --mount=type=bind,target=/b --mount=type=ssh,id=x --network=none --security=insecure true\n")
	got, err := s.Mounts(in, c)
	if err != nil {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range got {
		targets = append(targets, m.Target)
	}
	if d := cmp.Diff([]string{"/run/buildkit/ssh_agent.0", "/b", "/run/buildkit/ssh_agent.1"}, targets); d != "" {
		t.Error(d)
	}
	if Network(c) != "none" || Security(c) != "insecure" {
		t.Errorf("network %s, security %s", Network(c), Security(c))
	}
}

// TestBadMounts: what holds no variable is refused when the file is read, the rest when the step is reached. Both say where.
func TestBadMounts(t *testing.T) {
	tests := map[string]string{
		"type=bind,target=/x,bind-propagation=shared":       "2:33: unexpected key 'bind-propagation' in 'bind-propagation=shared'",
		"type=volume,target=/x":                             "2:18: unsupported mount type \"volume\"",
		"type=bind,target=/":                                "2:5: invalid mount target \"/\"",
		"type=cache,target=/x,id=../../etc":                 "2:5: id=../../etc leads out of the folder of caches",
		"type=cache,target=/x,id=a/../../etc":               "2:5: id=a/../../etc leads out",
		"type=bind,target=/x,source=../a":                   "2:5: source=../a leads out of what is mounted",
		"type=bind,target=/x,from=0":                        "2:33: RUN --mount takes a stage by its name, not by its number",
		"type=bind,target=/x,from=$s":                       "2:33: 'from' doesn't support variable expansion",
		"type=cache,target=/x,uid=4294967295":               "2:5: invalid value 4294967295 for uid: expected a number from 0 to 2147483647",
		"type=cache,target=/x,uid=root":                     "2:34: invalid value root for uid",
		"type=cache,target=/x,mode=17777":                   "2:5: invalid value 17777 for mode",
		"type=cache,target=/x,sharing=none":                 "2:42: unsupported sharing value \"none\"",
		"type=bind,target=/x,uid=1":                         "2:18: uid not allowed for \"bind\" type mounts",
		"type=bind,target=/x,sharing=locked":                "2:5: invalid cache sharing set for bind mount",
		"type=bind,target=/x,size=1":                        "2:33: unexpected key 'size' for mount type 'bind'",
		"type=tmpfs,target=/x,size=-1":                      "2:34: invalid value for size: -1",
		"type=tmpfs,target=/x,size=much":                    "2:34: invalid value for size: much",
		"type=secret":                                       "2:5: invalid secret mount. one of source, target required",
		"type=secret,id=a,from=two":                         "2:5: secret mount should not have a from",
		"type=secret,id=a,source=b":                         "2:5: both source and id can't be set",
		"type=ssh,source=b":                                 "2:5: ssh does not support source",
		"type=bind,target=/x,readonly=perhaps":              "2:33: invalid value for readonly: perhaps",
		"type=bind,target=/x,nonsense":                      "2:33: invalid field 'nonsense' must be a key=value pair",
		"type=bind,target=/x,required":                      "2:33: unexpected key 'required' for mount type 'bind'",
		"type=secret,id=a,target=/x,source=b,uid=999999999": "2:5: both source and id can't be set",
	}
	for flag, want := range tests {
		_, err := Parse("Dockerfile", []byte("FROM a\nRUN --mount="+flag+" true\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:"+want) {
			t.Errorf("%s: %v, want %q", flag, err, want)
		}
		if strings.Contains(flag, "from=$") || strings.Contains(flag, "from=0") { // always told early
			continue
		}
		p, err := parse(t, "FROM a\nRUN --mount="+strings.Replace(flag, "target=/x", "target=${x}", 1)+",env=$y true\n").Plan(PlanOptions{})
		if err != nil {
			continue // what can be told early may be
		}
		s, in := p.Scope(p.Stages[0], []string{"x=/x"}, nil), p.Stages[0].Instructions[0]
		cmd, err := s.Expand(in)
		if err == nil {
			_, err = s.Mounts(in, cmd.(*Run))
		}
		if err == nil || !strings.HasPrefix(err.Error(), "Dockerfile:2:") || !strings.HasSuffix(err.Error(), "true") {
			t.Errorf("%s, late: %v, want a place and the line", flag, err)
		}
	}
}

func TestEntitlements(t *testing.T) {
	p, err := parse(t, "FROM a AS unused\nRUN --network=host x\nFROM a\nRUN --security=insecure --network=host x\nRUN --security=sandbox --network=none x\n").Plan(PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range p.Entitlements() {
		got = append(got, e.Name+" "+e.At.Text)
	}
	want := []string{"security.insecure RUN --security=insecure --network=host x", "network.host RUN --security=insecure --network=host x"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
