package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/learn-containers/learn/"

// arrows says which packages of ours a package may import, by prefix. The engine knows no lessons and no narration; the trace knows
// no engine; the two drivers never meet.
var arrows = map[string][]string{
	"trace":           {},
	"trace/vocab":     {},
	"trace/tracefile": {"trace"},
	"trace/tracetest": {"trace", "trace/vocab"},
	"trace/world":     {"trace", "trace/vocab"},
	"trace/narrate":   {"trace", "trace/vocab"},
	"trace/view":      {"trace", "trace/vocab", "trace/world", "trace/narrate"},

	"engine/oci":                  {},
	"engine/home":                 {"engine/failpoint"},
	"engine/failpoint":            {},
	"engine/dockerfile":           {"engine/oci"}, // instructions change an image's config
	"engine/dockerfile/lint":      {"engine/dockerfile", "engine/oci"},
	"engine/userland":             {"engine/userland", "engine/oci"},
	"engine/blob":                 {"engine/oci", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	"engine/layer":                {"engine/oci", "trace", "trace/vocab"},
	"engine/driver":               {"engine/oci", "engine/driver/health", "engine/network"},
	"engine/kernelview":           {"engine/driver", "engine/driver/standard"},
	"engine/passwd":               {"engine/driver"},
	"engine/events":               {"engine/home"},
	"engine/registry":             {"engine/oci", "engine/registry/credentials", "trace", "trace/vocab"},
	"engine/registry/credentials": {},
	"engine/squeeze":              {},
	"engine/image":                {"engine/squeeze", "engine/events", "engine/sbom", "engine/registry", "engine/blob", "engine/layer", "engine/driver", "engine/oci", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	"engine/program":              {},
	"engine/network":              {},
	"engine/network/names":        {},
	"engine/network/proxy":        {"engine/network"},
	"engine/network/describe":     {"engine/network", "engine/network/names", "trace", "trace/vocab"},
	"engine/network/reach":        {"engine/network"},
	"engine/network/leases":       {"engine/network", "engine/home"},
	"engine/network/ledger":       {"engine/network", "engine/network/leases", "engine/events", "engine/home", "engine/failpoint", "trace", "trace/vocab"},

	// pure readers of what is in an image, and of what is known against it
	"engine/sbom":       {"engine/sbom/rpmdb"},
	"engine/sbom/rpmdb": {},
	"engine/vuln":       {"engine/sbom"},

	// commit takes Dockerfile instructions, hence dockerfile
	"engine/volume":    {"engine/driver", "engine/events", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	"engine/container": {"engine/network", "engine/network/ledger", "engine/network/reach", "engine/program", "engine/volume", "engine/driver/pack", "engine/layer", "engine/driver/health", "engine/driver/respawn", "engine/driver/jsonfile", "engine/events", "engine/image", "engine/passwd", "engine/dockerfile", "engine/driver", "engine/driver/standard", "engine/oci", "engine/blob", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	"engine/build": {"engine/build/fetch", "engine/dockerfile", "engine/dockerfile/lint", "engine/image", "engine/registry", "engine/passwd", "engine/layer", "engine/driver", "engine/oci", "engine/blob", "engine/home", "engine/failpoint",
		"trace", "trace/vocab"},
	"engine/build/fetch":       {"engine/layer", "engine/home"},
	"engine/driver/standard":   {},
	"engine/driver/nameconf":   {"engine/driver/standard", "engine/network"},
	"engine/driver/pack":       {},
	"engine/driver/jsonfile":   {"engine/failpoint"},
	"engine/driver/health":     {},
	"engine/driver/respawn":    {},
	"engine/driver/eventlog":   {"trace"},
	"engine/driver/relay":      {"engine/driver/jsonfile"},
	"engine/driver/drivertest": {"engine/network", "engine/network/leases", "engine/driver", "engine/driver/health", "engine/driver/standard", "engine/kernelview", "engine/layer", "engine/userland", "engine/oci", "engine/home", "trace", "trace/vocab", "trace/tracetest"},
	"engine/driver/difftest":   {"engine/driver", "engine/layer", "engine/oci", "engine/home"}, // its tests bring the drivers
	"engine/driver/sim":        {"engine/network", "engine/network/describe", "engine/network/leases", "engine/network/names", "engine/network/proxy", "engine/driver", "engine/driver/pack", "engine/driver/sim", "engine/driver/nameconf", "engine/driver/standard", "engine/driver/jsonfile", "engine/driver/eventlog", "engine/driver/relay", "engine/driver/health", "engine/driver/respawn", "engine/layer", "engine/userland", "engine/oci", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	"engine/driver/sim/fsys":   {},
	"engine/driver/sim/lan":    {"engine/userland"},
	"engine/driver/linux":      {"engine/network", "engine/network/describe", "engine/network/leases", "engine/network/names", "engine/network/proxy", "engine/driver", "engine/driver/pack", "engine/driver/linux", "engine/driver/nameconf", "engine/driver/standard", "engine/driver/jsonfile", "engine/driver/eventlog", "engine/driver/relay", "engine/driver/health", "engine/driver/respawn", "engine/layer", "engine/userland", "engine/oci", "engine/home", "engine/failpoint", "trace", "trace/vocab"},
	// the runtime for bundles knows nothing of the engine's containers: only how the machine is asked
	"engine/driver/linux/bundle":  {"engine/driver/linux/bundle", "engine/driver/linux/filter", "engine/driver/linux/shim", "engine/driver/standard"},
	"engine/driver/linux/filter":  {},
	"engine/driver/linux/thread":  {},
	"engine/driver/linux/wiring":  {"engine/network", "engine/driver/linux/thread"},
	"engine/driver/linux/rootnet": {"engine/network", "engine/driver/linux/thread", "engine/driver/linux/wiring"},
	"engine": {"engine/network/ledger", "engine/events", "engine/home", "engine/oci", "engine/blob", "engine/image", "engine/container", "engine/volume", "engine/build", "engine/driver", "engine/userland",
		"trace", "trace/vocab"},

	"engine/registry/registrytest": {"engine/oci"},
	"engine/registry/server":       {"engine/registry/server/depot", "engine/oci", "trace", "trace/vocab"},
	"engine/registry/server/depot": {"engine/oci", "engine/home", "engine/failpoint"},

	"bench":     {},
	"lessons":   {"trace", "trace/vocab", "trace/world", "trace/narrate", "trace/view", "lessons"},
	"exercises": {"lessons", "exercises", "trace", "trace/vocab", "trace/world", "trace/narrate"},
	"cmd/learn": {""},
}

// rule finds the row for a package: its own, or that of the nearest folder above it.
func rule(pkg string) (string, bool) {
	for p := pkg; p != ""; {
		if _, ok := arrows[p]; ok {
			return p, true
		}
		i := strings.LastIndexByte(p, '/')
		p = p[:max(i, 0)]
	}
	return "", false
}

func TestImportArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		pkg := strings.TrimPrefix(words[0], module)
		row, ok := rule(pkg)
		if !ok {
			t.Errorf("%s has no row in the table of arrows", pkg)
			continue
		}
		for _, imp := range words[1:] {
			to, ours := strings.CutPrefix(imp, module)
			if ours && !allowed(arrows[row], to) {
				t.Errorf("%s may not import %s", pkg, to)
			}
			if imp == "github.com/distribution/reference" {
				t.Errorf("%s may not import %s, which compiles its expressions whenever a process of ours starts: engine/oci reads names", pkg, imp)
			}
			if imp == "golang.org/x/sys/unix" && !strings.HasPrefix(pkg, "engine/driver/linux") && !strings.HasPrefix(pkg, "engine/userland") && pkg != "engine/driver/pack" {
				t.Errorf("%s may not import %s: system calls belong to engine/driver/linux", pkg, imp)
			}
		}
	}
}

// allowed: a row that ends in a folder of its own (a driver's, lessons) covers what is below it.
func allowed(row []string, to string) bool {
	return slices.ContainsFunc(row, func(a string) bool {
		return a == "" || a == to || (a == "engine/driver/linux" || a == "engine/driver/linux/bundle" || a == "engine/driver/sim" || a == "engine/userland" || a == "lessons" || a == "exercises") && strings.HasPrefix(to, a+"/")
	})
}
