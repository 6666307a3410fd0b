package container

import (
	"encoding/json"
	"strings"
	"unicode"

	"github.com/moby/moby/api/types/network"

	"github.com/learn-containers/learn/engine/oci"
)

// ApplyChanges changes c by Dockerfile instructions, as docker commit --change takes them. Nothing is expanded: there are no
// variables to take a value from.
func ApplyChanges(c *oci.ImageConfig, changes []string) error {
	for _, line := range changes {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := applyChange(c, strings.ToUpper(word), strings.TrimSpace(rest)); err != nil {
			return err
		}
	}
	return nil
}

func applyChange(c *oci.ImageConfig, word, rest string) error {
	if rest == "" && word != "CMD" && word != "ENTRYPOINT" {
		return invalid("%s requires at least one argument", word)
	}
	switch word {
	case "CMD":
		c.Cmd = command(c, rest)
	case "ENTRYPOINT":
		c.Entrypoint = command(c, rest)
	case "ENV":
		return eachPair(word, rest, func(k, v string) { c.Env = mergeEnv(c.Env, []string{k + "=" + v}) })
	case "LABEL":
		if c.Labels == nil {
			c.Labels = map[string]string{}
		}
		return eachPair(word, rest, func(k, v string) { c.Labels[k] = v })
	case "EXPOSE":
		return expose(c, rest)
	case "VOLUME":
		if c.Volumes == nil {
			c.Volumes = map[string]struct{}{}
		}
		for _, v := range list(rest) {
			c.Volumes[v] = struct{}{}
		}
	case "USER":
		c.User = rest
	case "WORKDIR":
		c.WorkingDir = join(c.WorkingDir, rest)
	case "ONBUILD":
		c.OnBuild = append(c.OnBuild, rest)
	case "STOPSIGNAL":
		c.StopSignal = rest
		_, err := ParseSignal(rest)
		return err
	default:
		return invalid("%s is not a valid change command", word)
	}
	return nil
}

func join(dir, next string) string {
	if strings.HasPrefix(next, "/") {
		return next
	}
	return strings.TrimSuffix(dir, "/") + "/" + next
}

// command reads the exec form (a JSON list) or the shell form.
func command(c *oci.ImageConfig, rest string) []string {
	var words []string
	if strings.HasPrefix(rest, "[") && json.Unmarshal([]byte(rest), &words) == nil {
		return words
	}
	if rest == "" {
		return nil
	}
	shell := c.Shell
	if len(shell) == 0 {
		shell = []string{"/bin/sh", "-c"}
	}
	return append(append([]string{}, shell...), rest)
}

func list(rest string) []string {
	var words []string
	if strings.HasPrefix(rest, "[") && json.Unmarshal([]byte(rest), &words) == nil {
		return words
	}
	return strings.Fields(rest)
}

func expose(c *oci.ImageConfig, rest string) error {
	if c.ExposedPorts == nil {
		c.ExposedPorts = map[string]struct{}{}
	}
	for word := range strings.FieldsSeq(rest) {
		r, err := network.ParsePortRange(word)
		if err != nil {
			return invalid("invalid containerPort: %s", word)
		}
		for p := range r.All() {
			c.ExposedPorts[p.String()] = struct{}{}
		}
	}
	return nil
}

// eachPair hands out KEY=value words, or the one pair of the old form KEY rest of the line.
func eachPair(word, rest string, use func(k, v string)) error {
	words, err := splitWords(rest)
	if err != nil {
		return invalid("%s: %v", word, err)
	}
	if !strings.Contains(words[0], "=") {
		if len(words) < 2 {
			return invalid("%s must have two arguments", word)
		}
		k, v, _ := strings.Cut(rest, " ")
		use(k, strings.TrimSpace(v))
		return nil
	}
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		if !ok || k == "" {
			return invalid("Syntax error - can't find = in %q. Must be of the form: name=value", w)
		}
		use(k, v)
	}
	return nil
}

// splitWords splits at spaces outside of quotes and takes quotes and backslashes away. A text that is not empty has words.
func splitWords(s string) ([]string, error) {
	var words []string
	var w strings.Builder
	quote, inWord, escaped := rune(0), false, false
	for _, r := range s {
		switch {
		case escaped:
			w.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && unicode.IsSpace(r):
			if inWord {
				words = append(words, w.String())
				w.Reset()
				inWord = false
			}
		default:
			w.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, invalid("unexpected end of statement while looking for matching %c", quote)
	}
	if inWord {
		words = append(words, w.String())
	}
	return words, nil
}
