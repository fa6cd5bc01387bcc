package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// state is what a bundle shows of one claim.
type state string

const (
	proven     state = "proven"
	notShown   state = "not-shown"
	failed     state = "failed"
	notChecked state = "not-checked"
)

const (
	maxStatement = 4096
	maxBagInfo   = 4096
	maxSection   = 16 << 20
	maxLeaf      = 113
	maxLine      = 64 + 2 + 255 + 1
)

// report is the answer about a bundle: claims apart, and everything that does not fit.
type report struct {
	claims   [4]state // documents, log, witnesses, timestamp
	problems []problem
	mlDSA    int // signatures by listed ML-DSA keys, which nothing here can check
}

type problem struct{ file, what string }

func (r *report) holds() bool {
	for _, claim := range r.claims {
		if claim == failed {
			return false
		}
	}
	return len(r.problems) == 0
}

// bundle is a bundle while it is checked.
type bundle struct {
	*source
	policy   *policy
	own      bool // is the policy the bundle's own?
	origin   string
	digests  map[string]string // SHA-256 in hex of every file that could be read
	problems []problem
	signed   *signedTree
	opened   int
	unnamed  map[string]string // SHA-256 of exhibits that no papers name yet, to their file
}

// signedTree is the checkpoint under the log's signature.
type signedTree struct {
	checkpoint
	text       string
	signatures []signature
	data       []byte
}

// checkBundle follows the chain from the log's signature to every file, then checks the claims. An
// error means that there is nothing to believe: no report at all.
func checkBundle(path string, pinned *policy) (*report, error) {
	opened, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer opened.close()
	b := &bundle{source: opened, policy: pinned}
	b.digests, b.unnamed = make(map[string]string), make(map[string]string)
	if b.own = pinned == nil; b.own {
		data, err := b.read(policyFile, maxPolicy)
		if err != nil {
			return nil, err
		}
		if b.policy, err = parsePolicy(data); err != nil {
			return nil, err
		}
	}
	tags, files, err := b.chain()
	if err != nil {
		return nil, err
	}
	b.files(tags, files)
	return b.report(), nil
}

// chain: signature, bundle.note, tag manifest, manifest.
func (b *bundle) chain() (tags, files map[string]string, err error) {
	data, err := b.read(bundleNote, maxStatement)
	if err != nil {
		return nil, nil, err
	}
	text, signed, err := openNote(data, maxStatement, b.policy.logs...)
	if err != nil {
		return nil, nil, err
	}
	_, signatures, _ := parseNote(data, maxStatement)
	lines := strings.Split(text, "\n")
	if len(signatures) != 1 || len(lines) != 5 || lines[0] != "bailee/bundle/v1" ||
		!kinds.MatchString(lines[1]) {
		return nil, nil, errors.New("bundle.note does not state what a bundle states")
	}
	for i := range signed {
		if b.origin = b.policy.logs[i].name; b.origin != lines[2] {
			return nil, nil, errors.New("bundle.note is about another log")
		}
	}
	if tags, err = b.list(tagManifest, lines[3], tagNames); err != nil {
		return nil, nil, err
	}
	files, err = b.list(manifest, tags[manifest], payloadNames)
	return tags, files, err
}

var (
	kinds        = regexp.MustCompile(`^(receipt|matter|certificate)$`)
	line         = regexp.MustCompile(`^([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,255})$`)
	tagNames     = regexp.MustCompile(`^[^/]+$`)
	payloadNames = regexp.MustCompile(`^data/.`)
)

// list reads a manifest whose SHA-256 must be the one wanted: file name to SHA-256.
func (b *bundle) list(file, wanted string, takes *regexp.Regexp) (map[string]string, error) {
	data, err := b.read(file, uint64(len(b.names)*maxLine))
	if err != nil {
		return nil, err
	}
	if digest := sha256.Sum256(data); hex.EncodeToString(digest[:]) != wanted {
		return nil, fmt.Errorf("%s is not the one that is signed", file)
	}
	listed, before := make(map[string]string), ""
	for _, text := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		found := line.FindStringSubmatch(text)
		if found == nil || !takes.MatchString(found[2]) || !isPlainPath(found[2]) ||
			found[2] <= before || bag+found[2] == bundleNote || bag+found[2] == tagManifest {
			return nil, fmt.Errorf("%s: %q is malformed, or out of place", file, text)
		}
		before = found[2]
		listed[bag+before] = found[1]
	}
	if !bytes.HasSuffix(data, []byte("\n")) {
		return nil, fmt.Errorf("%s does not end in a newline", file)
	}
	return listed, nil
}

// files compares every file with its list, every list with the files, and checks the bag.
func (b *bundle) files(tags, listed map[string]string) {
	size, count := uint64(0), 0
	for _, name := range b.names {
		if partOf(name) == unknown {
			b.problem(name, "a bundle has no such file")
		}
		list := tags
		if strings.HasPrefix(name, payload) {
			list = listed
			size, count = size+b.members[name].size, count+1
		}
		wanted, known := list[name]
		if !known && name != bundleNote && name != tagManifest {
			b.problem(name, "it is on no signed list")
		}
		digest := sha256.New()
		if err := b.content(name, digest); err != nil {
			b.problem(name, err.Error())
			continue
		}
		b.digests[name] = hex.EncodeToString(digest.Sum(nil))
		if known && b.digests[name] != wanted {
			b.problem(name, "its content is not the one on the signed list")
		}
	}
	for _, list := range []map[string]string{tags, listed} {
		for name := range list {
			if _, there := b.members[name]; !there {
				b.problem(name, "it is on the signed list but not in the bundle")
			}
		}
	}
	b.bag(fmt.Sprintf("%d.%d", size, count))
}

var info = regexp.MustCompile(`^Source-Organization: (\S+)\nExternal-Identifier: (.+)\n` +
	`Bag-Software-Agent: (.+)\nPayload-Oxum: (.+)\n$`)

// bag checks what other people's tools go by.
func (b *bundle) bag(oxum string) {
	const stated = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
	if data, err := b.read(declaration, maxBagInfo); err != nil || string(data) != stated {
		b.problem(declaration, "it does not declare a bag of version 1.0")
	}
	data, err := b.read(bagInfo, maxBagInfo)
	found := info.FindStringSubmatch(string(data))
	if err != nil || found == nil || found[1] != b.origin || found[4] != oxum ||
		!isBagValue(found[2]) || !isBagValue(found[3]) {
		b.problem(bagInfo, "it does not describe this bag")
	}
}

func (b *bundle) report() *report {
	b.checkpoint()
	b.exhibits()
	indices := b.entries()
	for _, file := range b.unnamed {
		b.problem(file, "no opened papers section of an entry names its SHA-256")
	}
	claims := [4]state{proven, proven, notShown, notShown}
	if b.opened == 0 {
		claims[0] = notShown
	}
	if indices == 0 {
		claims[1] = notShown
	}
	for _, problem := range b.problems {
		switch partOf(problem.file) {
		case documentPart:
			claims[0] = failed
		case leafPart:
			claims[0], claims[1] = failed, failed
		case proofPart, checkpointPart:
			claims[1] = failed
		}
	}
	claims[2] = b.witnesses()
	for _, name := range b.names {
		if partOf(name) == timePart {
			claims[3] = notChecked
		}
	}
	for _, problem := range b.problems {
		if partOf(problem.file) == timePart || b.signed == nil && claims[3] == notChecked {
			claims[3] = failed
		}
	}
	found := &report{claims: claims, problems: b.problems}
	if b.signed != nil {
		found.mlDSA = b.mlDSA()
	}
	return found
}

// checkpoint looks at the log's signature alone.
func (b *bundle) checkpoint() {
	data, err := b.read(checkpointFile, maxCheckpoint)
	if err == nil {
		var opened checkpoint
		if opened, err = openCheckpoint(data, b.policy.logs...); err == nil && opened.origin != b.origin {
			err = errors.New("it is about another log")
		}
		if err == nil {
			text, signatures, _ := parseNote(data, maxCheckpoint)
			b.signed = &signedTree{opened, text, signatures, data}
			return
		}
	}
	b.problem(checkpointFile, err.Error())
}

// witnesses is claim 3 as far as Ed25519 goes.
func (b *bundle) witnesses() state {
	if b.signed == nil {
		return failed
	}
	// The log's keys come last, so that a checkpoint without cosignatures is signed too.
	keys := append(append([]key{}, b.policy.witnesses...), b.policy.logs...)
	_, signed, err := openNote(b.signed.data, maxCheckpoint, keys...)
	if err != nil {
		b.problem(checkpointFile, err.Error())
		return failed
	}
	if b.policy.quorum == none {
		return notShown
	}
	if _, reached := b.policy.reachedBy(b.policy.quorum, signed); reached {
		return proven
	}
	if b.mlDSA() > 0 {
		return notChecked
	}
	if b.own { // whoever wrote this policy says that its quorum is missing, and hides nothing
		return notShown
	}
	b.problem(checkpointFile, "the quorum "+b.policy.quorum+" is not reached")
	return failed
}

// mlDSA counts the signatures on the checkpoint that nothing here can check.
func (b *bundle) mlDSA() int {
	count := 0
	for _, witness := range b.policy.witnesses {
		for _, line := range b.signed.signatures {
			if witness.kind == kindMLDSA && line.name == witness.name && line.id == witness.id {
				count++
			}
		}
	}
	return count
}

// exhibits notes the documents that papers have to name.
func (b *bundle) exhibits() {
	for name, digest := range b.digests {
		if partOf(name) != documentPart || strings.HasPrefix(name, entries) {
			continue
		}
		if name != certificate && name != exhibits+digest {
			b.problem(name, "its name is not its SHA-256")
		}
		b.unnamed[digest] = name
	}
}

// entries checks every entry and answers how many there are.
func (b *bundle) entries() int {
	found := make(map[int64]bool)
	for _, name := range b.names {
		if number, is := entryIndex(name); is {
			found[number] = true
		}
	}
	var indices []int64
	for number := range found {
		indices = append(indices, number)
	}
	sort.Slice(indices, func(i, j int) bool { return indices[i] < indices[j] })
	for _, number := range indices {
		b.entry(number)
	}
	return len(indices)
}

// A leaf is CBOR in its shortest form: [1, type, hours, [what, who, papers]], each a commitment of
// 32 bytes or null. The bytes are looked at one to one, as Latin-1.
var leafPattern = regexp.MustCompile(`(?s)^\x84\x01(?:` + uint16Pattern + `)(?:` + uint16Pattern +
	`|\x1a[^\x00]...|\x1a\x00[^\x00]..)\x83(\xf6|\x58\x20.{32})(\xf6|\x58\x20.{32})(\xf6|\x58\x20.{32})$`)

const uint16Pattern = `[\x00-\x17]|\x18[\x18-\xff]|\x19[\x01-\xff].`

func (b *bundle) entry(number int64) {
	directory := entryDirectory(number)
	leaf, err := b.read(directory+"/leaf.bin", maxLeaf)
	var commitments []string
	if err == nil {
		if commitments = leafPattern.FindStringSubmatch(latin1(leaf)); commitments == nil {
			err = errors.New("not a leaf")
		}
	}
	if err != nil {
		b.problem(directory+"/leaf.bin", err.Error())
	}
	included := b.included(directory, number, leaf)
	for i, section := range sections {
		file := directory + "/opened/" + section
		_, content := b.members[file+".cbor"]
		_, salt := b.members[file+".salt"]
		if !content && !salt {
			continue
		}
		shown, err := b.section(file, i, commitments)
		if err != nil {
			b.problem(file+".cbor", err.Error())
			continue
		}
		b.opened++
		if included && section == "papers" {
			for at := 0; at+sha256.Size <= len(shown); at++ {
				delete(b.unnamed, hex.EncodeToString(shown[at:at+sha256.Size]))
			}
		}
	}
}

func (b *bundle) included(directory string, number int64, leaf []byte) bool {
	data, err := b.read(directory+"/proof.tlog-proof", maxProof)
	if err == nil && (b.signed == nil || leaf == nil) {
		return false
	}
	if err == nil {
		err = b.proven(data, number, leaf)
	}
	if err != nil {
		b.problem(directory+"/proof.tlog-proof", err.Error())
	}
	return err == nil
}

func (b *bundle) proven(data []byte, number int64, leaf []byte) error {
	proof, err := parseProof(data)
	if err != nil {
		return err
	}
	if proof.index != number || !bytes.Equal(proof.checkpoint, b.signed.data) {
		return errors.New("it is about another index, or holds another checkpoint")
	}
	return proof.check(leaf, b.signed.checkpoint)
}

func (b *bundle) section(file string, number int, commitments []string) ([]byte, error) {
	content, err := b.read(file+".cbor", maxSection)
	if err != nil {
		return nil, err
	}
	salt, err := b.read(file+".salt", sha256.Size)
	if err != nil || len(salt) != sha256.Size || commitments == nil {
		return nil, errors.New("no salt of 32 bytes, or no leaf")
	}
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte{byte(number)})
	mac.Write(content)
	if latin1(append([]byte{0x58, 0x20}, mac.Sum(nil)...)) != commitments[number+1] {
		return nil, errors.New("it is not what the leaf commits to")
	}
	return content, nil
}

func (b *bundle) problem(file, what string) {
	b.problems = append(b.problems, problem{file, what})
}

func latin1(bytes []byte) string {
	runes := make([]rune, len(bytes))
	for i, value := range bytes {
		runes[i] = rune(value)
	}
	return string(runes)
}
