package expression

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Show formats a value for people: text as it is, lists one after another, digests in docker's short form.
func Show(value any) string {
	switch v := value.(type) {
	case nil:
		return "nothing"
	case string:
		if v == "" {
			return "an empty text"
		}
		return shortDigest(v)
	case map[string]any:
		if kind, ok := v["kind"].(string); ok {
			return fmt.Sprintf("event %v (%s)", v["seq"], kind)
		}
	}
	r := reflect.ValueOf(value)
	switch r.Kind() {
	case reflect.Slice:
		return showList(r)
	case reflect.Struct, reflect.Map:
		b, err := json.Marshal(value)
		if err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(value)
}

func showList(r reflect.Value) string {
	if r.Len() == 0 {
		return "an empty list"
	}
	parts := make([]string, r.Len())
	for i := range parts {
		parts[i] = Show(r.Index(i).Interface())
	}
	return strings.Join(parts, ", ")
}

// shortDigest cuts a sha256 digest to its first 12 digits, as docker's tables do.
func shortDigest(s string) string {
	hex, ok := strings.CutPrefix(s, "sha256:")
	if !ok || len(hex) != 64 || strings.Trim(hex, "0123456789abcdef") != "" {
		return s
	}
	return hex[:12]
}

// Number converts what an expression gave for an event or a choice.
func Number(value any) (int, bool) {
	r := reflect.ValueOf(value)
	switch {
	case !r.IsValid():
		return 0, false
	case r.CanInt():
		return int(r.Int()), true
	case r.CanUint():
		return int(r.Uint()), true
	case r.CanFloat() && r.Float() == float64(int(r.Float())):
		return int(r.Float()), true
	}
	return 0, false
}

// Each calls f for a value or, if it is a list, for each of its items.
func Each(value any, f func(any)) {
	r := reflect.ValueOf(value)
	if !r.IsValid() || r.Kind() != reflect.Slice {
		f(value)
		return
	}
	for i := range r.Len() {
		f(r.Index(i).Interface())
	}
}
