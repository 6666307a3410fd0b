package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
)

// frameKind says what a frame carries.
type frameKind byte

// The kinds. Requests and replies are JSON; the others are the bytes of a stream.
const (
	frameRequest frameKind = 'q'
	frameReply   frameKind = 'r'
	frameStdin   frameKind = 'i'
	frameEnd     frameKind = 'z' // of the client's input; empty
	frameStdout  frameKind = 'o'
	frameStderr  frameKind = 'e'
)

// The bounds of one frame: messages are an environment or a list of processes at most, streams are cut.
const (
	frameHead   = 5
	maxMessage  = 16 << 20
	maxStream   = 64 << 10
	streamChunk = 32 << 10
)

// frame is one message of a connection: a byte of kind, four bytes of length (big endian), the payload.
type frame struct {
	kind frameKind
	data []byte
}

// limit is how long a frame of this kind may be; false if there is no such kind.
func (k frameKind) limit() (int, bool) {
	switch k {
	case frameRequest, frameReply:
		return maxMessage, true
	case frameStdin, frameStdout, frameStderr:
		return maxStream, true
	case frameEnd:
		return 0, true
	}
	return 0, false
}

// readFrame reads one frame; io.EOF means that there are no more, io.ErrUnexpectedEOF that the last one is cut.
func readFrame(r io.Reader) (frame, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: frameKind(head[0])}
	limit, known := f.kind.limit()
	if !known {
		return frame{}, fmt.Errorf("read frame: unknown kind %#x", head[0])
	}
	n := binary.BigEndian.Uint32(head[1:])
	if int64(n) > int64(limit) {
		return frame{}, fmt.Errorf("read frame: %d bytes; %q has at most %d", n, f.kind, limit)
	}
	var err error
	f.data, err = readPayload(r, int(n))
	return f, err
}

// readPayload takes memory as the bytes come: a length alone costs nothing.
func readPayload(r io.Reader, n int) ([]byte, error) {
	data := make([]byte, 0, min(n, maxStream))
	for len(data) < n {
		part := min(n-len(data), maxStream)
		at := len(data)
		data = append(data, make([]byte, part)...)
		if _, err := io.ReadFull(r, data[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return data, nil
}

// wire is one connection between a client and a container's host. Any goroutine may send; one receives.
type wire struct {
	conn net.Conn
	mu   sync.Mutex // one frame at a time
}

func newWire(conn net.Conn) *wire { return &wire{conn: conn} }

// send writes one frame. It waits until the other side has room.
func (w *wire) send(kind frameKind, data []byte) error {
	if limit, _ := kind.limit(); len(data) > limit {
		return fmt.Errorf("send frame: %d bytes; %q has at most %d", len(data), kind, limit)
	}
	buf := make([]byte, frameHead, frameHead+len(data))
	buf[0] = byte(kind)
	binary.BigEndian.PutUint32(buf[1:], uint32(len(data)))
	buf = append(buf, data...)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.conn.Write(buf); err != nil {
		return fmt.Errorf("send frame: %w", err)
	}
	return nil
}

// sendJSON sends a request or a reply.
func (w *wire) sendJSON(kind frameKind, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return w.send(kind, data)
}

// receive reads the next frame.
func (w *wire) receive() (frame, error) { return readFrame(w.conn) }

// receiveRequest reads the request that a connection begins with.
func (w *wire) receiveRequest() (request, error) {
	var req request
	f, err := w.receive()
	if err != nil {
		return req, err
	}
	if f.kind != frameRequest {
		return req, fmt.Errorf("read request: a frame of kind %q came", f.kind)
	}
	return parseRequest(f.data)
}

func parseRequest(data []byte) (request, error) {
	var req request
	if err := json.Unmarshal(data, &req); err != nil {
		return req, fmt.Errorf("read request: %w", err)
	}
	return req, nil
}

func (w *wire) close() { _ = w.conn.Close() }
