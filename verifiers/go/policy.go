package main

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// policy says whose signatures count (c2sp.org/tlog-policy).
type policy struct {
	logs      []key
	witnesses []key
	voices    map[string]voice
	quorum    string // "" before the line was seen
}

// voice is a witness (its place among the witnesses), or a group of members.
type voice struct {
	witness int
	needed  int // 0 for a witness
	names   []string
}

const (
	maxPolicy = 256 << 10
	maxItems  = 64
	none      = "none"
)

func parsePolicy(data []byte) (*policy, error) {
	text := string(data)
	if len(data) > maxPolicy || !utf8.Valid(data) || !strings.HasSuffix(text, "\n") {
		return nil, errors.New("policy: too large, not UTF-8, or without a newline at its end")
	}
	control := func(r rune) bool { return r < 0x20 && r != '\t' && r != '\n' || r == 0x7f }
	if strings.IndexFunc(text, control) >= 0 {
		return nil, errors.New("policy: a control character")
	}
	parsed := &policy{voices: make(map[string]voice)}
	groups, taken := 0, make(map[string]bool)
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := parsed.line(words, &groups, taken); err != nil {
			return nil, fmt.Errorf("policy line %d: %w", number+1, err)
		}
	}
	if parsed.quorum == "" {
		return nil, errors.New("policy: no quorum line")
	}
	taken[parsed.quorum] = true
	for name, voice := range parsed.voices {
		if voice.needed == 0 && taken[name] && parsed.isLog(parsed.witnesses[voice.witness].name) {
			return nil, errors.New("policy: a log's own second key cannot be its witness")
		}
	}
	return parsed, nil
}

// isLog tells whether a key of this name speaks for a log, and so not for others.
func (p *policy) isLog(name string) bool {
	for _, log := range p.logs {
		if log.name == name {
			return true
		}
	}
	return false
}

func (p *policy) line(words []string, groups *int, taken map[string]bool) error {
	switch kind, count := words[0], len(words); {
	case kind == "log" && (count == 2 || count == 3):
		log, err := parseKey(words[1], kindLog)
		if err != nil {
			return err
		}
		p.logs, err = addKey(p.logs, log)
		return err
	case kind == "witness" && (count == 3 || count == 4):
		witness, err := parseKey(words[2], kindCosigner, kindMLDSA)
		if err != nil {
			return err
		}
		if p.witnesses, err = addKey(p.witnesses, witness); err != nil {
			return err
		}
		return p.define(words[1], voice{witness: len(p.witnesses) - 1})
	case kind == "group" && count > 3:
		if *groups++; *groups > maxItems {
			return errors.New("too many groups")
		}
		return p.group(words[1], words[2], words[3:], taken)
	case kind == "quorum" && count == 2 && p.quorum == "":
		if _, known := p.voices[words[1]]; !known && words[1] != none {
			return errors.New("the quorum is not defined above")
		}
		p.quorum = words[1]
		return nil
	}
	return errors.New("not a log, witness, group or first quorum line")
}

func (p *policy) group(name, threshold string, names []string, taken map[string]bool) error {
	var needed int64
	switch threshold {
	case "any":
		needed = 1
	case "all":
		needed = int64(len(names))
	default:
		var err error
		if needed, err = decimal(threshold); err != nil {
			return err
		}
	}
	if needed < 1 || needed > int64(len(names)) {
		return errors.New("the threshold is not between 1 and the number of members")
	}
	for _, name := range names {
		if _, known := p.voices[name]; !known || taken[name] {
			return fmt.Errorf("member %s is not defined above, or taken", name)
		}
		taken[name] = true
	}
	return p.define(name, voice{needed: int(needed), names: names})
}

func (p *policy) define(name string, what voice) error {
	if _, known := p.voices[name]; known || name == none || strings.IndexFunc(name, unicode.IsControl) >= 0 {
		return fmt.Errorf("name %q stands above already, or is not usable", name)
	}
	p.voices[name] = what
	return nil
}

func addKey(keys []key, more key) ([]key, error) {
	for _, known := range keys {
		if known.public == more.public {
			return nil, errors.New("this key stands above already")
		}
	}
	if len(keys) == maxItems {
		return nil, errors.New("too many keys")
	}
	return append(keys, more), nil
}

// reachedBy answers the smallest time by which the member had seen the tree.
func (p *policy) reachedBy(name string, times map[int]int64) (int64, bool) {
	what := p.voices[name]
	if what.needed == 0 {
		time, cosigned := times[what.witness]
		return time, cosigned
	}
	var reached []int64
	for _, name := range what.names {
		if time, reaches := p.reachedBy(name, times); reaches {
			reached = append(reached, time)
		}
	}
	if len(reached) < what.needed {
		return 0, false
	}
	sort.Slice(reached, func(i, j int) bool { return reached[i] < reached[j] })
	return reached[what.needed-1], true
}
