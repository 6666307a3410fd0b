package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

const (
	hashOpen  = `,"hash":"`
	hashClose = `"}`
	hashLen   = 2 * sha256.Size
	sealLen   = len(hashOpen) + hashLen + len(hashClose)
)

// seal encodes a line, with its line end, behind one whose hash is before.
func seal(l Line, before string) (line []byte, hash string, err error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, "", fmt.Errorf("encode journal line %d: %w", l.N, err)
	}
	if len(body)+sealLen > MaxLine {
		return nil, "", fmt.Errorf("encode journal line %d: it is longer than %d bytes", l.N, MaxLine)
	}
	hash = chained(before, body)
	line = append(body[:len(body)-1], hashOpen...)
	line = append(line, hash...)
	return append(line, hashClose+"\n"...), hash, nil
}

func chained(before string, body []byte) string {
	sum := sha256.New()
	sum.Write([]byte(before))
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil))
}

// unseal splits a line into what was hashed and the hash.
func unseal(line []byte) (body []byte, hash string, ok bool) {
	at := len(line) - sealLen
	if at < 1 || !bytes.HasPrefix(line[at:], []byte(hashOpen)) || !bytes.HasSuffix(line, []byte(hashClose)) {
		return nil, "", false
	}
	body = append(bytes.Clone(line[:at]), '}')
	return body, string(line[at+len(hashOpen) : len(line)-len(hashClose)]), true
}
