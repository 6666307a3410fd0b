//go:build !linux

package main

import "errors"

func makeFifo(string) error                 { return errors.ErrUnsupported }
func setXattr(string, string, string) error { return errors.ErrUnsupported }
