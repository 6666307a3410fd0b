package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdvice(t *testing.T) {
	const apt = "apt-get leaves package lists in /var/lib/apt/lists in the layer"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"apt", "RUN apt-get update && apt-get install -y git", []string{"2 LearnPackageCache: " + apt}},
		{"apt, cleaned", "RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/*", nil},
		{"apt, find", "RUN apt-get update && apt-get install -y git && find /var/lib/apt/lists -type f -delete", nil},
		{"apt, set -e", "RUN set -eux; apt-get update; apt-get install -y git; rm -r /var/lib/apt/lists", nil},
		{"apt, in a document", "RUN <<E\nset -e\napt-get update\napt-get install -y git\nE", []string{"2-6 LearnPackageCache: " + apt}},
		{"apt, in a document, cleaned", "RUN <<E\napt-get update\napt-get install -y git\nrm -rf /var/lib/apt\nE", nil},
		{"apt, in a program", "RUN <<E\n#!/usr/bin/env bash\napt-get update\napt-get install -y git\nE", []string{"2-6 LearnPackageCache: " + apt}},
		{"apt, in another language", "RUN <<E\n#!/usr/bin/python3\napt-get update\napt-get install -y git\nE", nil},
		{"apt, cache mount", "RUN --mount=type=cache,target=/var/cache/apt --mount=type=cache,target=/var/lib/apt apt-get update && apt-get install -y git", nil},
		{"apt, JSON", `RUN ["apt-get", "install", "git"]`, []string{"2 LearnPackageCache: " + apt}},
		{"apt, cleaned too late", "RUN apt-get update && apt-get install -y git\nRUN rm -rf /var/lib/apt/lists/*", []string{"2 LearnPackageCache: " + apt}},
		{"apt, in a stage that is not shipped", "RUN true\nFROM base AS build\nRUN apt-get update && apt-get install -y git\nFROM base\nCOPY --from=build /x /x", nil},
		{"apt, in a base", "RUN apt-get update && apt-get install -y git\nFROM first", []string{"2 LearnPackageCache: " + apt}},
		{"apt, another shell", "SHELL [\"pwsh\", \"-c\"]\nRUN apt-get install git", nil},
		{"apt, skipped", "# check=skip=LearnPackageCache\nRUN apt-get update && apt-get install -y git", nil},
		{"apt, alone", "RUN apt-get update\nRUN apt-get install -y git && rm -rf /var/lib/apt/lists/*",
			[]string{"2 LearnAptUpdateAlone: apt-get update has a RUN of its own: a later install uses the lists of the day when it was cached"}},
		{"apk", "RUN apk add git\nRUN apk --no-cache add git\nRUN apk add --no-cache git\nRUN apk add git && rm -rf /var/cache/apk/*", []string{"2 LearnPackageCache: apk leaves indexes in /var/cache/apk in the layer"}},
		{"dnf", "RUN dnf install -y git\nRUN yum install -y git && yum clean all\nRUN microdnf install git && rm -rf /var/cache/yum", []string{"2 LearnPackageCache: dnf leaves metadata and packages in /var/cache in the layer"}},
		{"pip", "RUN pip install flask\nRUN pip3 install --no-cache-dir flask\nRUN --mount=type=cache,target=/root/.cache pip install flask\nENV PIP_NO_CACHE_DIR=1\nRUN pip install flask", []string{"2 LearnPackageCache: pip leaves downloads in ~/.cache/pip in the layer"}},
		{"npm", "RUN npm ci\nRUN npm ci && npm cache clean --force\nRUN npm install && rm -rf ~/.npm", []string{"2 LearnPackageCache: npm leaves downloads in ~/.npm in the layer"}},
		{"gem", "RUN gem install rails\nRUN gem install rails && rm -rf /usr/local/bundle/cache", []string{"2 LearnPackageCache: gem leaves packages in the cache folder of gems in the layer"}},
		{"deleted later", "COPY big.tgz /tmp/\nRUN tar -xf /tmp/big.tgz && rm /tmp/big.tgz", []string{"3 LearnDeletedLater: rm /tmp/big.tgz: the layer of line 2 has /tmp/big.tgz, and keeps its bytes"}},
		{"deleted later, relative", "WORKDIR /w\nCOPY big.tgz .\nRUN cd sub && tar -xf ../big.tgz && rm -f ../big.tgz", []string{"4 LearnDeletedLater: rm ../big.tgz: the layer of line 3 has /w/big.tgz, and keeps its bytes"}},
		{"deleted later, a download", "RUN curl -fsSL -o /tmp/x https://e.org/x && wget https://e.org/y.tgz\nRUN rm -rf /tmp/*\nRUN rm y.tgz", []string{
			"3 LearnDeletedLater: rm /tmp/*: the layer of line 2 has /tmp/x, and keeps its bytes", "4 LearnDeletedLater: rm y.tgz: the layer of line 2 has /there/y.tgz, and keeps its bytes"}},
		{"deleted at once", "RUN curl -o /tmp/x https://e.org/x && rm /tmp/x\nCOPY a /tmp/y\nRUN rm -rf /tmp/z /var/tmp", nil},
		{"deleted in the next stage", "COPY a b /src/\nFROM first\nRUN rm -r /src/a", []string{"4 LearnDeletedLater: rm /src/a: the layer of line 2 has /src/a, and keeps its bytes"}},
		{"cache order", "COPY . .\nRUN npm ci && npm cache clean --force", []string{"2 LearnCacheOrder: COPY copies everything before npm in line 3 installs what package.json lists: any change of any file installs it again"}},
		{"cache order, go", "COPY . /src\nRUN go mod download\nRUN go mod download", []string{"2 LearnCacheOrder: COPY copies everything before go mod download in line 3 installs what go.mod lists: any change of any file installs it again"}},
		{"cache order, in a stage that is not shipped", "RUN true\nFROM base AS b\nCOPY ./ .\nRUN pip install -r requirements.txt\nFROM base", []string{"4 LearnCacheOrder: COPY copies everything before pip in line 5 installs what requirements.txt lists: any change of any file installs it again"}},
		{"cache order, good", "COPY package.json .\nRUN npm ci && npm cache clean --force\nCOPY . .\nRUN npm run build", nil},
		{"cache order, names a package", "COPY . .\nRUN npm install left-pad && npm cache clean", nil},
		{"cache order, from a stage", "COPY --from=first . .\nRUN go mod download", nil},
		{"ADD", "ADD a b /x/\nADD a.tar.gz /x\nADD *.t /x\nADD https://e.org/x /x\nADD --unpack=false a /x\nADD git@e.org:x.git /x", []string{"2 LearnAddForCopy: ADD copies files of the build context here, which COPY does"}},
		{"lost state", "RUN cd /app\nRUN export A=1\nRUN true && cd x\nRUN cd /app && make\nRUN (cd x)\nRUN A=1 make || cd x\nRUN cd", []string{
			"2 LearnLostShellState: cd at the end of a RUN has no effect on what follows", "3 LearnLostShellState: export at the end of a RUN has no effect on what follows",
			"4 LearnLostShellState: cd at the end of a RUN has no effect on what follows"}},
		{"no shell that parses", "RUN apt-get install \"", nil},
		{"nothing", "RUN []", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "FROM base AS first\n" + tt.text + "\n"
			text = strings.Replace(text, "COPY --from=first", "COPY --from=base", 1)
			r := Check("Dockerfile", []byte(text), options())
			if r.Err != nil {
				t.Fatal(r.Err)
			}
			if tt.want == nil {
				tt.want = []string{}
			}
			if d := cmp.Diff(tt.want, found(r.Advice())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if n := len(r.Warnings()); n > 0 {
				t.Errorf("warnings of docker's: %q", found(r.Warnings()))
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"FROM a\nRUN b", "# escape=`\n# check=skip=all\nFROM a AS b\n# check=error=true\nRUN cd a`\n&& ((b", "ARG x=1\nFROM $x AS Y\nONBUILD COPY <<E <<F /\n1\nE\n2\nF\nFROM y\n",
		"FROM base\nRUN <<E\napt-get install x | (cat; for i in 1; do rm -rf $x/*; done)\nE\nADD a b\nEXPOSE 1:2:3/TCP", "FROM --platform=$TARGETPLATFORM onbuild\nENV a b\nCMD $x",
		"FROM base\nRUN --mount=type=cache,target=/x,id=$a cat <<A && rm x/../../y\n1\nA\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := options()
		o.Ignored = func(p string) bool { return len(p)%2 == 0 }
		r := Check("Dockerfile", text, o)
		lines := strings.Count(string(text), "\n") + 1
		for _, found := range r.Findings {
			if found.Line < 1 || found.EndLine < found.Line || found.EndLine > lines || found.Message == "" {
				t.Errorf("%+v in %d lines", found, lines)
			}
		}
	})
}
