package build

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// recorded makes the record of a build whose first miss is the step that begins with miss, for reason r; what follows is taken along. Every
// RUN takes 10 s and 100 bytes. names are what a COPY from the context brings.
func recorded(dockerfile, miss string, r Reason, names []string) BuildRecord {
	b := BuildRecord{ID: "1", Dockerfile: "/d/Dockerfile", Context: "/d"}
	stage, place, workdir, missed := 0, 0, "/", -1
	for i, line := range strings.Split(strings.TrimSpace(dockerfile), "\n") {
		if word(line) == "FROM" {
			b.Bases = append(b.Bases, BaseRecord{Stage: stage, Line: i + 1, Name: "x", OfStage: -1})
			continue
		}
		if !makesTree(word(line)) {
			b.Settings = append(b.Settings, SettingRecord{Stage: stage, Place: place, Line: i + 1, Text: line})
			continue
		}
		s := StepRecord{Stage: stage, Place: place, Line: i + 1, Text: line, Instruction: line, Hit: true, Chain: digest.Digest(fmt.Sprint("c", i))}
		switch word(line) {
		case "WORKDIR":
			workdir = strings.Fields(line)[1]
		case "COPY":
			s.Names, s.Parts.Workdir = names, workdir
		case "RUN":
			s.Parts.Workdir, s.Seconds, s.Bytes = workdir, 10, 100
			s.Parts.Command = []string{"/bin/sh", "-c", strings.TrimPrefix(line, "RUN ")}
		}
		switch {
		case missed >= 0:
			at := *b.Steps[missed].place()
			s.Hit, s.Reason = false, &Reason{Kind: ReasonParent, At: &at, Cause: at.Text}
			if r.Kind == ReasonArg {
				s.Reason = &r
			}
		case strings.HasPrefix(line, miss):
			missed, s.Hit, s.Reason = len(b.Steps), false, &r
		}
		b.Steps = append(b.Steps, s)
		place++
	}
	return b
}

func changed(files ...string) Reason {
	r := Reason{Kind: ReasonFiles, Text: "changed"}
	for _, f := range files {
		r.Files = append(r.Files, FileChange{Path: f, Text: f + " changed"})
	}
	return r
}

var nodeFiles = []string{"Dockerfile", "package.json", "package-lock.json", "src/"}

func TestAdvice(t *testing.T) {
	tests := []struct {
		name, dockerfile, miss string
		reason                 Reason
		names                  []string
		kind                   string
		after                  []string
		assumes                string
	}{
		{"manifest first", "FROM n\nWORKDIR /app\nCOPY . .\nRUN npm ci\nRUN npm run build", "COPY", changed("src/app.js"), nodeFiles,
			AdviceSplit, []string{"COPY package-lock.json package.json ./", "RUN npm ci", "COPY . ."}, "package.json names no workspace"},
		{"the manifest itself changed", "FROM n\nWORKDIR /app\nCOPY . .\nRUN npm ci", "COPY", changed("src/app.js", "package.json"), nodeFiles, "", nil, ""},
		{"owner is kept", "FROM n\nWORKDIR /app\nCOPY --chown=app . /app\nRUN npm ci --omit=dev", "COPY", changed("src/app.js"), nodeFiles,
			AdviceSplit, []string{"COPY --chown=app package-lock.json package.json /app/", "RUN npm ci --omit=dev", "COPY --chown=app . /app"}, ""},
		{"a package is named", "FROM n\nWORKDIR /app\nCOPY . .\nRUN npm install ./src", "COPY", changed("src/app.js"), nodeFiles, "", nil, ""},
		{"workspaces", "FROM n\nWORKDIR /app\nCOPY . .\nRUN pnpm install", "COPY", changed("src/app.js"), append(slices.Clone(nodeFiles), "pnpm-workspace.yaml"), "", nil, ""},
		{"pip", "FROM n\nWORKDIR /app\nCOPY . .\nRUN pip install --no-cache-dir -r requirements.txt", "COPY", changed("app.py"), []string{"app.py", "requirements.txt"},
			AdviceSplit, []string{"COPY requirements.txt ./", "RUN pip install --no-cache-dir -r requirements.txt", "COPY . ."}, "requirements.txt names no folder"},
		{"pip of the project", "FROM n\nWORKDIR /app\nCOPY . .\nRUN pip install .", "COPY", changed("app.py"), []string{"app.py", "requirements.txt"}, "", nil, ""},
		{"pip editable", "FROM n\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt -e .", "COPY", changed("app.py"), []string{"app.py", "requirements.txt"}, "", nil, ""},
		{"go", "FROM n\nWORKDIR /src\nCOPY . .\nRUN go mod download\nRUN go build -o /bin/app", "COPY", changed("main.go"), []string{"go.mod", "go.sum", "main.go"},
			AdviceSplit, []string{"COPY go.mod go.sum ./", "RUN go mod download", "COPY . ."}, "go.mod replaces no module"},
		{"go with a workspace", "FROM n\nWORKDIR /src\nCOPY . .\nRUN go mod download", "COPY", changed("main.go"), []string{"go.mod", "go.work", "main.go"}, "", nil, ""},
		{"system packages", "FROM n\nCOPY . /srv\nRUN apt-get update && apt-get install -y curl\nRUN make -C /srv", "COPY", changed("a"), []string{"a"},
			AdviceLater, []string{"RUN apt-get update && apt-get install -y curl", "COPY . /srv"}, "apt-get reads nothing below /srv"},
		{"two packages steps", "FROM n\nCOPY . /srv\nRUN apk add curl\nRUN apk add git", "COPY", changed("a"), []string{"a"}, AdviceLater, []string{"RUN apk add curl", "RUN apk add git", "COPY . /srv"}, "apk"},
		{"a package from the context", "FROM n\nWORKDIR /srv\nCOPY . .\nRUN apt-get install -y ./own.deb", "COPY", changed("a"), []string{"a", "own.deb"}, "", nil, ""},
		{"named file", "FROM n\nWORKDIR /app\nCOPY . .\nRUN cat list > /copied", "COPY", changed("other"), []string{"list", "other"}, AdviceSplit, []string{"COPY list ./", "RUN cat list > /copied", "COPY . ."}, ""},
		{"file in a folder", "FROM n\nWORKDIR /app\nCOPY . .\nRUN cat conf/list > /copied", "COPY", changed("other"), []string{"conf/", "other"}, "", nil, ""},
		{"folder named", "FROM n\nCOPY . /app\nRUN cat /app/conf", "COPY", changed("other"), []string{"conf/", "other"}, "", nil, ""},
		{"a script that was copied", "FROM n\nCOPY . /app\nRUN /app/setup.sh", "COPY", changed("other"), []string{"setup.sh", "other"}, "", nil, ""},
		{"an unknown program", "FROM n\nCOPY . /app\nRUN frobnicate", "COPY", changed("other"), []string{"other"}, "", nil, ""},
		{"a shell of its own", "FROM n\nCOPY . /app\nRUN for f in 1 2; do echo $f; done", "COPY", changed("other"), []string{"other"}, "", nil, ""},
		{"into a folder of the system", "FROM n\nCOPY . /etc\nRUN apk add curl", "COPY", changed("other"), []string{"other"}, "", nil, ""},
		{"a file is taken away", "FROM n\nWORKDIR /app\nCOPY . .\nRUN rm secret", "COPY", changed("other"), []string{"secret", "other"}, "", nil, ""},
		{"output over a file", "FROM n\nWORKDIR /app\nCOPY . .\nRUN echo 1 > version", "COPY", changed("other"), []string{"version", "other"}, "", nil, ""},
		{"another COPY between", "FROM n\nCOPY often /a/\nCOPY rare /b/\nRUN apk add curl", "COPY often", changed("often"), []string{"often"}, AdviceLater, []string{"COPY rare /b/", "RUN apk add curl", "COPY often /a/"}, ""},
		{"the same place between", "FROM n\nCOPY often /a/\nCOPY rare /a/b/\nRUN apk add curl", "COPY often", changed("often"), []string{"often"}, "", nil, ""},
		{"relative behind WORKDIR", "FROM n\nWORKDIR /x\nCOPY often .\nWORKDIR /y\nRUN apk add curl", "COPY", changed("often"), []string{"often"}, "", nil, ""},
		{"the Dockerfile itself", "FROM n\nWORKDIR /app\nCOPY . .\nRUN make", "COPY", changed("Dockerfile", ".git/index"), []string{"Dockerfile", "a", ".git/"}, AdviceIgnore, []string{"Dockerfile", ".git"}, "no step reads Dockerfile or .git"},
		{"the Dockerfile by its name", "FROM n\nWORKDIR /app\nCOPY Dockerfile .\nRUN make", "COPY", changed("Dockerfile"), []string{"Dockerfile"}, "", nil, ""},
		{"the Dockerfile and more", "FROM n\nWORKDIR /app\nCOPY . .\nRUN make", "COPY", changed("Dockerfile", "a"), []string{"Dockerfile", "a"}, "", nil, ""},
		{"nothing to save", "FROM n\nCOPY . /app\nWORKDIR /y", "COPY", changed("a"), []string{"a"}, "", nil, ""},
		{"a variable is set between", "FROM n\nARG d=/app\nCOPY . $d\nENV d=/other\nRUN apk add curl", "COPY", changed("a"), []string{"a"}, "", nil, ""},

		{"argument not used", "FROM n\nARG V=1\nRUN apk add curl\nRUN apk add git\nRUN echo $V > /v", "RUN", Reason{Kind: ReasonArg, Name: "V"}, nil,
			AdviceDeclare, []string{"RUN apk add curl", "RUN apk add git", "ARG V=1"}, "reads V from its environment"},
		{"argument used at once", "FROM n\nARG V=1\nRUN echo $V\nRUN apk add git", "RUN", Reason{Kind: ReasonArg, Name: "V"}, nil, "", nil, ""},
		{"argument used by a label", "FROM n\nARG V=1\nLABEL v=$V\nRUN apk add git", "RUN", Reason{Kind: ReasonArg, Name: "V"}, nil, "", nil, ""},
		{"a longer name", "FROM n\nARG V=1\nRUN echo $VERSION\nRUN echo $V", "RUN", Reason{Kind: ReasonArg, Name: "V"}, nil, AdviceDeclare, []string{"RUN echo $VERSION", "ARG V=1"}, ""},
		{"two in one instruction", "FROM n\nARG V=1 W=2\nRUN apk add git", "RUN", Reason{Kind: ReasonArg, Name: "V"}, nil, "", nil, ""},
		{"a name that programs know", "FROM n\nARG NODE_ENV=1\nRUN apk add git", "RUN", Reason{Kind: ReasonArg, Name: "NODE_ENV"}, nil, "", nil, ""},
		{"a name of one's own", "FROM n\nARG BUILDNO=1\nRUN apk add git", "RUN", Reason{Kind: ReasonArg, Name: "BUILDNO"}, nil, AdviceDeclare, []string{"RUN apk add git", "ARG BUILDNO=1"}, ""},
		{"environment", "FROM n\nENV RELEASE 1 2\nRUN apk add git", "RUN", Reason{Kind: ReasonEnv, Name: "RELEASE"}, nil, AdviceDeclare, []string{"RUN apk add git", "ENV RELEASE 1 2"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := Advise([]BuildRecord{recorded(tt.dockerfile, tt.miss, tt.reason, tt.names)})
			if tt.kind == "" {
				if len(list) != 0 {
					t.Errorf("advice where there is none: %+v", list)
				}
				return
			}
			if len(list) != 1 || list[0].Kind != tt.kind || !slices.Equal(list[0].After, tt.after) {
				t.Fatalf("advice %+v, want %s: %q", list, tt.kind, tt.after)
			}
			a := list[0]
			if !strings.Contains(strings.Join(a.Assumes, "\n"), tt.assumes) {
				t.Errorf("assumes %q, want %q", a.Assumes, tt.assumes)
			}
			runs := 0
			for _, k := range a.Keeps {
				if word(k.Text) == "RUN" {
					runs++
				}
			}
			if want := (Saving{float64(10 * runs), int64(100 * runs)}); a.Saved != want || runs == 0 || a.Builds != 1 {
				t.Errorf("saves %+v in %d builds, want %+v in 1", a.Saved, a.Builds, want)
			}
		})
	}
}

// TestAdviceCountsHistory sums what the same order would have saved in earlier builds, and only the same.
func TestAdviceCountsHistory(t *testing.T) {
	const df = "FROM n\nWORKDIR /app\nCOPY . .\nRUN npm ci"
	one := recorded(df, "COPY", changed("src/app.js"), nodeFiles)
	manifest := recorded(df, "COPY", changed("package.json"), nodeFiles)
	list := Advise([]BuildRecord{one, manifest, one, {}})
	if len(list) != 1 || list[0].Builds != 2 || list[0].Saved.Seconds != 20 || list[0].Saved.Bytes != 200 {
		t.Errorf("%+v", list)
	}
	if list := Advise([]BuildRecord{manifest, one}); len(list) != 0 {
		t.Errorf("advice for a build that it would not have helped: %+v", list)
	}
	if list := Advise(nil); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestAdviceOfForcedBuild keeps quiet: nothing missed for its order.
func TestAdviceOfForcedBuild(t *testing.T) {
	b := recorded("FROM n\nWORKDIR /app\nCOPY . .\nRUN npm ci", "COPY", Reason{Kind: ReasonForced}, nodeFiles)
	if list := Advise([]BuildRecord{b}); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// TestAdviceHolds builds in the order that the advice names: then the change that was made costs no RUN.
func TestAdviceHolds(t *testing.T) {
	l := newLab(t)
	l.write(".dockerignore", "Dockerfile\n")
	l.write("list", "1")
	l.write("other", "1")
	const head = "FROM base\nWORKDIR /app\n"
	l.build(head+"COPY . .\nRUN echo list && write /made 1\n", Options{})
	l.write("other", "2")
	made := l.build(head+"COPY . .\nRUN echo list && write /made 1\n", Options{})
	x, err := l.builder.Explain(made.Build)
	must(t, err)
	if len(x.Advice) != 0 {
		t.Fatalf("write is no program that advice knows: %+v", x.Advice)
	}
	l.build(head+"COPY . .\nRUN cat list\n", Options{})
	l.write("other", "3")
	made = l.build(head+"COPY . .\nRUN cat list\n", Options{})
	if x, err = l.builder.Explain(made.Build); err != nil || len(x.Advice) != 1 {
		t.Fatalf("%+v, %v", x.Advice, err)
	}
	better := head + strings.Join(x.Advice[0].After, "\n") + "\n"
	l.build(better, Options{})
	l.write("other", "4")
	after := l.build(better, Options{})
	for _, s := range after.Build.Steps {
		if word(s.Text) == "RUN" && !s.Hit {
			t.Errorf("%s missed in the better order: %+v", s.Text, s.Reason)
		}
	}
}

func FuzzSimpleCommands(f *testing.F) {
	for _, s := range []string{"npm ci && echo x", "a > b; c", "echo 'x y'", `pip install "a==1"`, "a 2>&1 | b", "$(x)", "a '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, script string) {
		list, ok := simpleCommands(script)
		if ok && strings.ContainsAny(script, "$`(*?[<") {
			t.Errorf("%q counts as simple: %q", script, list)
		}
		c := copied{at: "/app", names: []string{"a", "b/"}}
		for _, words := range list {
			c.commandNeeds(words, "/app")
		}
	})
}
