//go:build !linux

package tiny

func small(string, []string) (int, bool) { return 0, false }
