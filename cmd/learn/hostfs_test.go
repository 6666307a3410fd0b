package main

import "testing"

func TestPathsOfWindows(t *testing.T) {
	for program, host := range map[string]string{
		"/C:/Users/me/work":                       "C:/Users/me/work",
		"/C:/Users/me/work/C:/Users/me/home/x":    "C:/Users/me/home/x",
		"/C:/Users/me/work/d:/x":                  "d:/x",
		"/C:":                                     "C:/",
		`/C:/Users/me/work/C:\Users\me\home\x`:    "C:/Users/me/home/x", // as a pattern gives it
		"/c:/a:b/c":                               "c:/a:b/c",
		"/etc/passwd":                             "/etc/passwd",
		"/C:/Users/me/work/images/blobs/sha256/a": "C:/Users/me/work/images/blobs/sha256/a",
	} {
		if got := onDrive(program); got != host {
			t.Errorf("onDrive(%q) = %q, want %q", program, got, host)
		}
	}
	for host, program := range map[string]string{`C:\Users\me`: "/C:/Users/me", `D:/x`: "/D:/x", `relative\x`: "relative/x"} {
		if got := offDrive(host); got != program {
			t.Errorf("offDrive(%q) = %q, want %q", host, got, program)
		}
	}
}
