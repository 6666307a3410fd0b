//go:build !linux

package main

func supervise() {}
