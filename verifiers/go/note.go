package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// What a key signs: the first byte of its encoding.
const (
	kindLog      = 0x01 // Ed25519 over the text
	kindCosigner = 0x04 // Ed25519 over time and text
	kindMLDSA    = 0x06 // ML-DSA-44 over time and tree: read, but not checked here
)

const (
	maxNote       = 16 << 20
	maxCheckpoint = 256 << 10
	maxSignatures = 100
	maxName       = 255
)

// key is a public key as policies write it: name+id+base64(kind || public).
type key struct {
	name   string
	id     uint32
	kind   byte
	public string
}

func parseKey(vkey string, kinds ...byte) (key, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return key{}, errors.New("a key is not name+id+key")
	}
	name := parts[0]
	bytes, err := unbase64(parts[2])
	if err != nil || !isKeyName(name) {
		return key{}, fmt.Errorf("key %q is malformed", name)
	}
	wanted := 33
	if len(bytes) > 0 && bytes[0] == kindMLDSA {
		wanted = 1313
	}
	if len(bytes) != wanted || !strings.Contains(string(kinds), string(bytes[:1])) {
		return key{}, fmt.Errorf("key %q has no place here", name)
	}
	digest := sha256.Sum256(append([]byte(name+"\n"), bytes...))
	id := binary.BigEndian.Uint32(digest[:4])
	if fmt.Sprintf("%08x", id) != parts[1] {
		return key{}, fmt.Errorf("key %q has another id than it says", name)
	}
	return key{name, id, bytes[0], string(bytes[1:])}, nil
}

// verifier is a key as sumdb/note asks for it; it remembers the first time a cosigner stated.
type verifier struct {
	key
	time *int64
}

func (v verifier) Name() string    { return v.name }
func (v verifier) KeyHash() uint32 { return v.id }

func (v verifier) Verify(text, signature []byte) bool {
	public := ed25519.PublicKey(v.public)
	if v.kind == kindLog {
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(public, text, signature)
	}
	if v.kind != kindCosigner || len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	stated := binary.BigEndian.Uint64(signature)
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", stated, text)
	if stated > math.MaxInt64 || !ed25519.Verify(public, []byte(message), signature[8:]) {
		return false
	}
	if *v.time < 0 {
		*v.time = int64(stated)
	}
	return true
}

// signature is one line of a note.
type signature struct {
	name  string
	id    uint32
	bytes []byte
}

// parseNote applies what the format asks beyond sumdb/note: no control character at all, base64 in
// one spelling, names of at most 255 bytes.
func parseNote(data []byte, limit int) (string, []signature, error) {
	bad := func(why string) (string, []signature, error) {
		return "", nil, errors.New("not a signed note: " + why)
	}
	if len(data) > limit || !utf8.Valid(data) {
		return bad("too large, or not UTF-8")
	}
	whole := string(data)
	split := strings.LastIndex(whole, "\n\n")
	if split < 0 || !strings.HasSuffix(whole[split+2:], "\n") {
		return bad("no block of signatures")
	}
	text := whole[:split+1]
	if strings.IndexFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) >= 0 {
		return bad("a control character")
	}
	var signatures []signature
	for _, line := range strings.Split(strings.TrimSuffix(whole[split+2:], "\n"), "\n") {
		words := strings.Split(line, " ")
		if len(words) != 3 || words[0] != "—" || !isKeyName(words[1]) {
			return bad("a line is not a signature")
		}
		bytes, err := unbase64(words[2])
		if err != nil || len(bytes) < 5 || len(signatures) == maxSignatures {
			return bad("a signature is malformed, or there are too many")
		}
		id := binary.BigEndian.Uint32(bytes)
		signatures = append(signatures, signature{words[1], id, bytes[4:]})
	}
	return text, signatures, nil
}

// openNote answers the text and the keys (by their place) that signed it, with the times that
// cosigners state. A known key that fails is an error, and so is a note that none of them signed.
func openNote(data []byte, limit int, keys ...key) (string, map[int]int64, error) {
	text, signatures, err := parseNote(data, limit)
	if err != nil {
		return "", nil, err
	}
	var list []note.Verifier
	place := make(map[note.Verifier]int)
	for i, known := range keys {
		if known.kind != kindMLDSA { // to sumdb/note an unknown key
			none := int64(-1)
			list = append(list, verifier{known, &none})
			place[list[len(list)-1]] = i
		}
	}
	opened, err := note.Open(data, note.VerifierList(list...))
	if err != nil {
		return "", nil, err
	}
	if opened.Text != text {
		return "", nil, errors.New("the note has two readings")
	}
	// note.Open looks at one signature of each key; no other may be wrong either.
	signed := make(map[int]int64)
	for _, line := range signatures {
		for _, known := range list {
			if known.Name() != line.name || known.KeyHash() != line.id {
				continue
			}
			if !known.Verify([]byte(text), line.bytes) {
				return "", nil, &note.InvalidSignatureError{Name: line.name, Hash: line.id}
			}
			signed[place[known]] = *known.(verifier).time
		}
	}
	return text, signed, nil
}

func isKeyName(name string) bool {
	unfit := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' }
	return name != "" && len(name) <= maxName && strings.IndexFunc(name, unfit) < 0
}

// unbase64 accepts one spelling: padded, without line breaks and spare bits.
func unbase64(text string) ([]byte, error) {
	bytes, err := base64.StdEncoding.DecodeString(text)
	if err == nil && base64.StdEncoding.EncodeToString(bytes) != text {
		err = errors.New("base64 in another spelling")
	}
	return bytes, err
}
