package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// checkpoint is what a log signs about a tree (c2sp.org/tlog-checkpoint).
type checkpoint struct {
	origin string
	size   int64
	root   tlog.Hash
}

func parseCheckpoint(text string) (checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || !isKeyName(lines[0]) {
		return checkpoint{}, errors.New("a checkpoint is not origin, size, root")
	}
	size, err := decimal(lines[1])
	if err != nil {
		return checkpoint{}, err
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return checkpoint{}, err
	}
	for _, extension := range lines[3:] {
		if extension == "" {
			return checkpoint{}, errors.New("a checkpoint with an empty line")
		}
	}
	return checkpoint{lines[0], size, root}, nil
}

// openCheckpoint verifies the log's signature; the key's name must be the origin.
func openCheckpoint(data []byte, logs ...key) (checkpoint, error) {
	text, signed, err := openNote(data, maxCheckpoint, logs...)
	if err != nil {
		return checkpoint{}, err
	}
	opened, err := parseCheckpoint(text)
	if err != nil {
		return checkpoint{}, err
	}
	for i := range signed {
		if logs[i].name == opened.origin {
			return opened, nil
		}
	}
	return checkpoint{}, fmt.Errorf("the checkpoint of %s is signed by another log", opened.origin)
}

// proof is an inclusion proof as a file (c2sp.org/tlog-proof).
type proof struct {
	index      int64
	path       tlog.RecordProof
	checkpoint []byte
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	maxProof    = 512 << 10
	maxPath     = 64
)

func parseProof(data []byte) (proof, error) {
	head, signed, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(data) > maxProof || lines[0] != proofHeader {
		return proof{}, errors.New("not a tlog-proof")
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		if extra, err := unbase64(lines[0][len("extra "):]); err != nil || len(extra) == 0 {
			return proof{}, errors.New("a tlog-proof with a malformed extra line")
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return proof{}, errors.New("a tlog-proof without index")
	}
	index, err := decimal(lines[0][len("index "):])
	if err != nil {
		return proof{}, err
	}
	path, err := parseHashes(lines[1:])
	return proof{index, path, signed}, err
}

func (p proof) check(leaf []byte, tree checkpoint) error {
	return tlog.CheckRecord(p.path, tree.size, tree.root, p.index, tlog.RecordHash(leaf))
}

// request is what a log asks a witness to cosign (c2sp.org/tlog-witness).
type request struct {
	old        int64
	path       tlog.TreeProof
	checkpoint []byte
}

func parseRequest(data []byte) (request, error) {
	head, signed, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(data) > maxProof || !strings.HasPrefix(lines[0], "old ") {
		return request{}, errors.New("not a request to a witness")
	}
	old, err := decimal(lines[0][len("old "):])
	if err != nil {
		return request{}, err
	}
	path, err := parseHashes(lines[1:])
	return request{old, path, signed}, err
}

func (r request) check(before, after checkpoint) error {
	if r.old != before.size {
		return fmt.Errorf("the request starts at size %d, not at %d", r.old, before.size)
	}
	if before.origin != after.origin {
		return fmt.Errorf("checkpoints of two logs: %s, %s", before.origin, after.origin)
	}
	// sumdb/tlog has no proof from the empty tree nor to the same size: both are plain comparisons.
	if before.size == 0 || before.size == after.size {
		same := before.size == 0 || before.root == after.root
		if len(r.path) != 0 || !same {
			return errors.New("two roots for one tree, or hashes where none are needed")
		}
		return nil
	}
	return tlog.CheckTree(r.path, after.size, after.root, before.size, before.root)
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	if len(lines) > maxPath {
		return nil, errors.New("a path longer than any tree is high")
	}
	hashes := make([]tlog.Hash, len(lines))
	for i, line := range lines {
		hash, err := parseHash(line)
		if err != nil {
			return nil, err
		}
		hashes[i] = hash
	}
	return hashes, nil
}

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	bytes, err := unbase64(text)
	if err != nil || len(bytes) != len(hash) {
		return hash, errors.New("a hash is not base64 of 32 bytes")
	}
	copy(hash[:], bytes)
	return hash, nil
}

// decimal accepts ASCII digits without sign or leading zero.
func decimal(text string) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(value, 10) != text || value < 0 {
		return 0, fmt.Errorf("%q is not a plain number that sumdb/tlog can count", text)
	}
	return value, nil
}
