package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// The only permitted encoding of the archive: stored files in the order of their names, fixed
// versions, flags, time and attributes, ZIP64 fields exactly where a value does not fit.
const (
	full32 = 0xffffffff
	full16 = 0xffff
	most   = 1 << 20 // files: their directory is held in memory
)

var plainName = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,255}$`)

// source is a bundle's files, out of an archive or of an unpacked directory.
type source struct {
	names   []string // sorted
	members map[string]member
	close   func() error
}

type member struct {
	size uint64
	open func() (io.ReadCloser, error)
}

// openSource opens an archive, or a directory that holds (or is) an unpacked bag.
func openSource(path string) (*source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openDirectory(path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	opened := &source{members: make(map[string]member), close: file.Close}
	if err := opened.readArchive(file, info.Size()); err != nil {
		file.Close()
		return nil, fmt.Errorf("not an unaltered bundle: %w", err)
	}
	return opened, nil
}

func openDirectory(path string) (*source, error) {
	root := path
	if filepath.Base(filepath.Clean(path)) == strings.TrimSuffix(bag, "/") {
		root = filepath.Dir(filepath.Clean(path))
	}
	opened := &source{members: make(map[string]member), close: func() error { return nil }}
	lower := make(map[string]bool)
	err := filepath.WalkDir(filepath.Join(root, bag), func(file string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() {
			return err
		}
		info, err := found.Info()
		if err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a plain file", file)
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		open := func() (io.ReadCloser, error) { return os.Open(file) }
		return opened.add(filepath.ToSlash(name), member{uint64(info.Size()), open}, lower)
	})
	sort.Strings(opened.names)
	return opened, err
}

// readArchive checks everything but the contents.
func (s *source) readArchive(file io.ReaderAt, length int64) error {
	reader, err := zip.NewReader(file, length)
	if err != nil {
		return err
	}
	if len(reader.File) > most {
		return fmt.Errorf("%d files are more than the %d of a bundle", len(reader.File), most)
	}
	var at uint64
	var directory []byte
	lower := make(map[string]bool)
	for _, found := range reader.File {
		if len(s.names) > 0 && s.names[len(s.names)-1] >= found.Name {
			return fmt.Errorf("%s is out of order", found.Name)
		}
		size := found.UncompressedSize64
		if err := s.add(found.Name, member{size, found.Open}, lower); err != nil {
			return err
		}
		local, central := headers(found, at)
		if err := expect(file, at, local, "the header of "+found.Name); err != nil {
			return err
		}
		at += uint64(len(local)) + size
		directory = append(directory, central...)
	}
	last := append(directory, end(uint64(len(s.names)), uint64(len(directory)), at)...)
	if uint64(length) != at+uint64(len(last)) {
		return errors.New("it is longer or shorter than its members")
	}
	return expect(file, at, last, "the directory of the archive")
}

func (s *source) add(name string, what member, lower map[string]bool) error {
	if !isPlainPath(name) || lower[strings.ToLower(name)] {
		return fmt.Errorf("name %q is unfit, or there twice", name)
	}
	lower[strings.ToLower(name)] = true
	s.names = append(s.names, name)
	s.members[name] = what
	return nil
}

func isPlainPath(name string) bool {
	for _, part := range strings.Split(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return plainName.MatchString(name)
}

func expect(file io.ReaderAt, at uint64, wanted []byte, what string) error {
	found := make([]byte, len(wanted))
	if n, err := file.ReadAt(found, int64(at)); n < len(wanted) || !bytes.Equal(found, wanted) {
		return fmt.Errorf("%s, from byte %d on, is not the only one allowed (%v)", what, at, err)
	}
	return nil
}

// content streams a file; an error when its CRC is not the one in the archive.
func (s *source) content(name string, out io.Writer) error {
	what, there := s.members[name]
	if !there {
		return fmt.Errorf("%s is missing", name)
	}
	reader, err := what.open()
	if err != nil {
		return err
	}
	defer reader.Close()
	_, err = io.Copy(out, reader)
	return err
}

func (s *source) read(name string, limit uint64) ([]byte, error) {
	if s.members[name].size > limit {
		return nil, fmt.Errorf("%s is too large", name)
	}
	var bytes bytes.Buffer
	err := s.content(name, &bytes)
	return bytes.Bytes(), err
}

func headers(member *zip.File, at uint64) (local, central []byte) {
	name, size := member.Name, member.UncompressedSize64
	common := func(extra []byte) []byte {
		var out bytes.Buffer
		put(&out, version(extra), uint16(0), uint16(0), uint16(0), uint16(0x21), member.CRC32,
			narrow(size), narrow(size), uint16(len(name)), uint16(len(extra)))
		return out.Bytes()
	}
	var first, second bytes.Buffer
	extra := wide(size, size)
	put(&first, []byte("PK\x03\x04"), common(extra), []byte(name), extra)
	extra = wide(size, size, at)
	put(&second, []byte("PK\x01\x02"), version(extra), common(extra), make([]byte, 10),
		narrow(at), []byte(name), extra)
	return first.Bytes(), second.Bytes()
}

func end(count, size, at uint64) []byte {
	var out bytes.Buffer
	if count >= full16 || size >= full32 || at >= full32 {
		put(&out, []byte("PK\x06\x06"), uint64(44), uint16(45), uint16(45), uint64(0),
			count, count, size, at, []byte("PK\x06\x07"), uint32(0), at+size, uint32(1))
	}
	few := uint16(full16)
	if count < full16 {
		few = uint16(count)
	}
	put(&out, []byte("PK\x05\x06"), uint32(0), few, few, narrow(size), narrow(at), uint16(0))
	return out.Bytes()
}

// wide is the extra field with those values that do not fit theirs.
func wide(values ...uint64) []byte {
	var big bytes.Buffer
	for _, value := range values {
		if value >= full32 {
			put(&big, value)
		}
	}
	if big.Len() == 0 {
		return nil
	}
	var out bytes.Buffer
	put(&out, uint16(1), uint16(big.Len()), big.Bytes())
	return out.Bytes()
}

func narrow(value uint64) uint32 {
	if value < full32 {
		return uint32(value)
	}
	return full32
}

func version(extra []byte) uint16 {
	if len(extra) == 0 {
		return 10
	}
	return 45
}

func put(out *bytes.Buffer, values ...any) {
	for _, value := range values {
		// Writing numbers and bytes to a buffer cannot fail.
		_ = binary.Write(out, binary.LittleEndian, value)
	}
}
