// Package dockerfile reads Dockerfiles: text becomes positioned instructions, instructions become a Plan of the stages that a
// target needs, and a Scope expands variables by docker's rules as a stage is carried out.
//
// It also carries out the instructions that change nothing but an image's config (Configurator, Change).
//
// It is pure: no file is opened, nothing is run, no clock is read. Grammar and word lexing are the
// reference parser's (BuildKit); what is ours are positions in errors, the plan, and the refusal of what can't be built.
//
// Invariants: a File never changes after Parse, so it may be planned and expanded any number of times; every Instruction
// knows its lines; every error about the text is a *SyntaxError. Lines and columns count from 1, columns in bytes.
package dockerfile
