// Package squeeze compresses a stream by several processors at once, into bytes that do not depend on how many there are.
//
// The input is cut into blocks of a fixed size. Each is compressed by itself, and the pieces follow one another in their order: for gzip as
// deflate blocks of one single member (RFC 1952, RFC 1951 3.2.3), for zstd as one frame each (RFC 8878 3.1), which every reader takes as one
// stream. A block that does not get smaller is stored, at the cost of a copy.
//
// The same input, kind and level give the same bytes as long as Version stays the same: whoever changes the block size or the encoder
// raises it. Memory is bounded by a few blocks for each processor.
package squeeze
