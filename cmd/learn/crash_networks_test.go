package main

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// networkOperations are those that make, join, leave and remove networks.
func networkOperations() []operation {
	gone, made := []string{"network", "rm", "-f", "nn"}, []string{"network", "create", "nn"}
	up := []string{"run", "-d", "--name", "yy", "learn/base", "sleep", "60"}
	return []operation{
		{"network create", nil, [][]string{gone}, made},
		{"network rm", nil, [][]string{gone, made}, []string{"network", "rm", "nn"}},
		{"network connect", nil, [][]string{gone, made, up}, []string{"network", "connect", "nn", "yy"}},
		{"network disconnect", nil, [][]string{gone, made, up, {"network", "connect", "nn", "yy"}}, []string{"network", "disconnect", "nn", "yy"}},
	}
}

// interfaces lists those of the home that are there although no container of it runs, and its rules; a tag stands for the home in both.
func (m *machine) interfaces() []string {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(m.home))
	tag := fmt.Sprintf("%08x", hash.Sum32())
	var found []string
	names, _ := filepath.Glob("/sys/class/net/*/ifalias")
	for _, n := range names {
		if alias, _ := os.ReadFile(n); strings.HasPrefix(string(alias), "learn "+tag+" ") {
			found = append(found, "interface "+filepath.Base(filepath.Dir(n)))
		}
	}
	if tables, err := exec.Command("nft", "list", "tables").Output(); err == nil && strings.Contains(string(tables), "learn-"+tag) {
		found = append(found, "table learn-"+tag)
	}
	if len(found) == 0 || m.docker("ps", "-q").out != "" {
		return nil
	}
	return found
}
