//go:build linux

package filter

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// insn is struct sock_filter.
type insn struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// The instructions that are used.
const (
	ldAbs = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	ja    = unix.BPF_JMP | unix.BPF_JA
	jeq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	jgt   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	jge   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	ret   = unix.BPF_RET | unix.BPF_K
)

// Where things are in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// search finds the span of the number in the accumulator.
func search(spans []span) []insn {
	if len(spans) == 1 {
		return leaf(spans[0])
	}
	mid := len(spans) / 2
	low, high := search(spans[:mid]), search(spans[mid:])
	code := []insn{{code: jge, k: spans[mid].from, jt: 0, jf: 1}, {code: ja, k: uint32(len(low))}}
	if len(low) <= 255 {
		code = []insn{{code: jge, k: spans[mid].from, jt: uint8(len(low))}}
	}
	return append(append(code, low...), high...)
}

func leaf(s span) []insn {
	var code []insn
	for _, r := range s.rules {
		code = append(code, r.code()...)
	}
	return append(code, insn{code: ret, k: s.verdict})
}

// Marks for jumps within a rule, replaced when its length is known.
const (
	toNext = 253 // on to the next condition
	toFail = 254 // on to the next rule
)

// code tries one rule and falls through if it does not fit.
func (r rule) code() []insn {
	var code []insn
	for _, a := range r.args {
		part, _ := comparison(a)
		if r.half {
			part = lowerHalf(part)
		}
		for i := range part {
			for _, j := range []*uint8{&part[i].jt, &part[i].jf} {
				if *j == toNext {
					*j = uint8(len(part) - i - 1)
				}
			}
		}
		code = append(code, part...)
	}
	code = append(code, insn{code: ret, k: r.verdict})
	for i := range code {
		for _, j := range []*uint8{&code[i].jt, &code[i].jf} {
			if *j == toFail {
				*j = uint8(len(code) - i - 1)
			}
		}
	}
	return code
}

// lowerHalf leaves out what a comparison does with the upper half, which comes first.
func lowerHalf(part []insn) []insn {
	at := 1
	for part[at].code != ldAbs {
		at++
	}
	return part[at:]
}

// comparison tests a 64 bit argument in two halves, as the machine that runs the program has 32 bit.
func comparison(a specs.LinuxSeccompArg) ([]insn, bool) {
	low := insn{code: ldAbs, k: uint32(offArgs + 8*a.Index)}
	high := insn{code: ldAbs, k: uint32(offArgs + 8*a.Index + 4)}
	h, l := uint32(a.Value>>32), uint32(a.Value)
	order := func(last uint16, yes, no uint8) []insn { // yes if the argument is greater, and by the last half if the upper ones are equal
		return []insn{high, {code: jgt, k: h, jt: yes}, {code: jeq, k: h, jf: no}, low, {code: last, k: l, jt: yes, jf: no}}
	}
	switch a.Op {
	case specs.OpEqualTo:
		return []insn{high, {code: jeq, k: h, jf: toFail}, low, {code: jeq, k: l, jf: toFail}}, true
	case specs.OpNotEqual:
		return []insn{high, {code: jeq, k: h, jf: toNext}, low, {code: jeq, k: l, jt: toFail}}, true
	case specs.OpGreaterThan:
		return order(jgt, toNext, toFail), true
	case specs.OpGreaterEqual:
		return order(jge, toNext, toFail), true
	case specs.OpLessThan:
		return order(jge, toFail, toNext), true
	case specs.OpLessEqual:
		return order(jgt, toFail, toNext), true
	case specs.OpMaskedEqual: // value is the mask
		want := a.ValueTwo & a.Value
		return []insn{high, {code: and, k: h}, {code: jeq, k: uint32(want >> 32), jf: toFail}, low, {code: and, k: l}, {code: jeq, k: uint32(want), jf: toFail}}, true
	}
	return nil, false
}
