//go:build !linux

package main

import "testing"

func enterNetns() error { return nil }

func ownNetns(testing.TB) (variable string, stop func()) { return "", func() {} }
