// Package chroma holds the few names of the chroma highlighter that glamour refers to: token types and styles.
// It is not the chroma library: no lexer registry, no formatter registry, no XML, and nothing runs when a process
// starts. README.md says why it exists.
//
// Invariants: a Style never changes once made; a token type without an entry of its own takes its category's, then
// Text's.
package chroma
