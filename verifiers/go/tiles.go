package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles have the same content as those of the checksum database and other names: C2SP's
// tile/<L>/<N>[.p/<W>] and tile/entries/<N>[.p/<W>] against tile/8/<L>/<N>[.p/<W>] and tile/8/data/….
const tileHeight = 8

// tileFiles reads tiles from a directory for sumdb/tlog, which authenticates what it is given.
type tileFiles struct {
	directory string
	size      int64
	read      map[string]bool
}

func (t tileFiles) Height() int                     { return tileHeight }
func (t tileFiles) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles answers the beginning of the widest tile that a tree of this size has: narrower ones
// need not be kept.
func (t tileFiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(tiles))
	for i, tile := range tiles {
		wanted := tile.W * tlog.HashSize
		if tile.W = 1 << tileHeight; tile.L < 8 {
			if there := t.size>>(tileHeight*tile.L) - tile.N<<tileHeight; there < int64(tile.W) {
				tile.W = int(there)
			}
		}
		content, err := t.file(tile, fmt.Sprint(tile.L))
		if err != nil {
			return nil, err
		}
		if len(content) != tile.W*tlog.HashSize || wanted > len(content) {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(content))
		}
		contents[i] = content[:wanted]
	}
	return contents, nil
}

// file reads a tile under its C2SP name and notes that it was read.
func (t tileFiles) file(tile tlog.Tile, level string) ([]byte, error) {
	prefix := fmt.Sprintf("tile/%d/%d/", tileHeight, tile.L)
	name := "tile/" + level + "/" + strings.TrimPrefix(tile.Path(), prefix)
	t.read[name] = true
	return os.ReadFile(filepath.Join(t.directory, filepath.FromSlash(name)))
}

func tilesCommand(vkey, checkpointFile, directory string) error {
	_, tree, err := openFile(vkey, checkpointFile)
	if err != nil {
		return err
	}
	if tree.size == 0 {
		return errors.New("the tree is empty: there are no tiles")
	}
	files := tileFiles{directory, tree.size, make(map[string]bool)}
	authenticated := tlog.TileHashReader(tlog.Tree{N: tree.size, Hash: tree.root}, files)
	if err := everyTile(tree.size, files, authenticated); err != nil {
		return err
	}
	if err := everyEntry(tree.size, files, authenticated); err != nil {
		return err
	}
	if err := nothingElse(directory, files.read); err != nil {
		return err
	}
	fmt.Printf("%d leaves and %d files lead to the signed root\n", tree.size, len(files.read))
	return nil
}

// everyTile compares each tile with the hashes that lead to the root.
func everyTile(size int64, files tileFiles, authenticated tlog.HashReader) error {
	for _, tile := range tlog.NewTiles(tileHeight, 0, size) {
		wanted, err := tlog.ReadTileData(tile, authenticated)
		if err != nil {
			return err
		}
		found, err := files.ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return err
		}
		if string(found[0]) != string(wanted) {
			return fmt.Errorf("%s holds other hashes than the signed tree", tile.Path())
		}
	}
	return nil
}

// everyEntry compares the hash of each entry with its leaf in the tree.
func everyEntry(size int64, files tileFiles, authenticated tlog.HashReader) error {
	const width = 1 << tileHeight
	for first := int64(0); first < size; first += width {
		tile := tlog.Tile{H: tileHeight, L: 0, N: first / width, W: width}
		if size-first < width {
			tile.W = int(size - first)
		}
		bundle, err := files.file(tile, "entries")
		if err != nil {
			return err
		}
		entries, err := splitEntries(bundle)
		if err != nil || len(entries) != tile.W {
			return fmt.Errorf("entries from %d: %d where %d belong", first, len(entries), tile.W)
		}
		indexes := make([]int64, tile.W)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := authenticated.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for i, entry := range entries {
			if tlog.RecordHash(entry) != hashes[i] {
				return fmt.Errorf("entry %d is not the leaf of the signed tree", first+int64(i))
			}
		}
	}
	return nil
}

// splitEntries reads an entry bundle: a length of two bytes, big-endian, before each entry.
func splitEntries(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, errors.New("cut off")
		}
		length := int(binary.BigEndian.Uint16(bundle))
		if bundle = bundle[2:]; len(bundle) < length {
			return nil, errors.New("cut off")
		}
		entries, bundle = append(entries, bundle[:length]), bundle[length:]
	}
	return entries, nil
}

// nothingElse refuses files that nothing authenticates.
func nothingElse(directory string, read map[string]bool) error {
	return filepath.WalkDir(filepath.Join(directory, "tile"), func(path string, found fs.DirEntry, err error) error {
		if err != nil || found.IsDir() {
			return err
		}
		name, err := filepath.Rel(directory, path)
		if err == nil && !read[filepath.ToSlash(name)] {
			err = fmt.Errorf("%s is no part of the signed tree", name)
		}
		return err
	})
}
