package main

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Where things lie in a bundle (docs/format.md, 8.2).
const (
	bag            = "bag/"
	bundleNote     = bag + "bundle.note"
	tagManifest    = bag + "tagmanifest-sha256.txt"
	manifest       = bag + "manifest-sha256.txt"
	declaration    = bag + "bagit.txt"
	bagInfo        = bag + "bag-info.txt"
	payload        = bag + "data/"
	checkpointFile = payload + "checkpoint"
	policyFile     = payload + "policy.tlog-policy"
	certificate    = payload + "certificate.json"
	exhibits       = payload + "exhibits/"
	entries        = payload + "entries/"
	timestamps     = payload + "timestamps/"
)

// part is what a file is, and so which claims rest on it.
type part int

const (
	unknown part = iota
	frame        // no claim rests on it
	leafPart
	proofPart
	checkpointPart
	documentPart // opened sections, exhibits, the certificate
	timePart
)

var sections = []string{"what", "who", "papers"}

var places = []struct {
	part  part
	names *regexp.Regexp
}{
	{frame, name(`(bagit|bag-info|(tag)?manifest-sha256)\.txt|bundle\.note|VERIFY\.md|verify\.(html|py)`)},
	{frame, name(`data/(policy\.tlog-policy|[^/]+\.(txt|md|html|pdf))`)},
	{checkpointPart, name(`data/checkpoint`)},
	{leafPart, name(`data/entries/` + index + `/leaf\.bin`)},
	{proofPart, name(`data/entries/` + index + `/proof\.tlog-proof`)},
	{documentPart, name(`data/entries/` + index + `/opened/(what|who|papers)\.(cbor|salt)`)},
	{documentPart, name(`data/exhibits/[0-9a-f]{64}|data/certificate\.json`)},
	{timePart, name(`data/timestamps/[a-z0-9][a-z0-9._-]{0,63}/([1-9]?[0-9]\.tsr|roots\.pem)`)},
}

const index = `([0-9]{9}|[1-9][0-9]{9,18})`

func name(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`^bag/(` + pattern + `)$`)
}

func partOf(file string) part {
	for _, place := range places {
		if place.names.MatchString(file) {
			return place.part
		}
	}
	return unknown
}

// entryIndex is the index in the name of a file of an entry.
func entryIndex(file string) (int64, bool) {
	if !strings.HasPrefix(file, entries) || partOf(file) == unknown {
		return 0, false
	}
	digits, _, _ := strings.Cut(file[len(entries):], "/")
	significant := strings.TrimLeft(digits[:len(digits)-1], "0") + digits[len(digits)-1:]
	number, err := decimal(significant)
	return number, err == nil
}

func entryDirectory(number int64) string {
	return fmt.Sprintf("%s%09d", entries, number)
}

// isBagValue accepts a value of bag-info.txt: one line of plain text without space around it.
func isBagValue(value string) bool {
	return value != "" && len(value) <= 1000 && strings.TrimSpace(value) == value &&
		strings.IndexFunc(value, unicode.IsControl) < 0
}
