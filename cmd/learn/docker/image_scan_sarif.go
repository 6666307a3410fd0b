package docker

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/learn-containers/learn/engine/vuln"
)

// The parts of a SARIF 2.1.0 log that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID         string            `json:"id"`
		Short      sarifText         `json:"shortDescription"`
		HelpURI    string            `json:"helpUri"`
		Properties map[string]string `json:"properties,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Index     int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)

func writeSARIF(w io.Writer, r scanReport) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "learn", Rules: []sarifRule{}}}, Results: []sarifResult{}}
	rules := map[string]int{}
	for _, f := range r.Findings {
		i, known := rules[f.ID]
		if !known {
			i = len(run.Tool.Driver.Rules)
			rules[f.ID] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(f))
		}
		text := fmt.Sprintf("%s %s in %s is concerned by %s (%s)", f.Package.FullName(), f.Package.Version, r.Image, vulnerabilityName(f), f.Severity)
		if f.Fixed != "" {
			text += "; fixed in " + f.Fixed
		}
		where := sarifLocation{sarifPhysical{sarifArtifact{f.Package.Path}}, []sarifLogical{{f.Package.PURL}}}
		run.Results = append(run.Results, sarifResult{f.ID, i, sarifLevel(f.Severity), sarifText{text}, []sarifLocation{where}})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func sarifRuleOf(f vuln.Finding) sarifRule {
	rule := sarifRule{ID: f.ID, Short: sarifText{f.Summary}, HelpURI: "https://osv.dev/vulnerability/" + f.ID}
	if rule.Short.Text == "" {
		rule.Short.Text = f.ID
	}
	if f.Score > 0 {
		rule.Properties = map[string]string{"security-severity": fmt.Sprintf("%.1f", f.Score)}
	}
	return rule
}

func sarifLevel(l vuln.Level) string {
	switch {
	case l >= vuln.High:
		return "error"
	case l == vuln.Medium || l == vuln.Unknown:
		return "warning"
	}
	return "note"
}
