// Verifies what a Bailee log says with the libraries of the Go checksum database
// (golang.org/x/mod/sumdb/note and sumdb/tlog), which share no line with Bailee.
//
//	checkpoint  VKEY CHECKPOINT             the log's signature: prints origin, size, root
//	inclusion   VKEY PROOF LEAF             a tlog-proof file and the leaf's bytes
//	consistency VKEY CHECKPOINT REQUEST     an older checkpoint, and a witness request
//	                                        ("old N", hashes, empty line, checkpoint)
//	tiles       VKEY CHECKPOINT DIRECTORY   all tiles and entries below DIRECTORY/tile
//	bundle      [-key VKEY | -policy FILE] [-brief] BUNDLE...
//	                                        bundles (zip files or unpacked bags)
//
// Exit code: 0 it holds, 1 it does not (or could not be read), 2 wrong use.
//
// Covered: claims 1 (documents) and 2 (log) of bundles, and of claim 3 the Ed25519 cosignatures.
// Not covered: ML-DSA signatures, and timestamps; they are reported as "not checked". Sizes above
// 2^63-1, which sumdb/tlog cannot count, are refused.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	arguments := os.Args[2:]
	var err error
	switch command := os.Args[1]; {
	case command == "checkpoint" && len(arguments) == 2:
		err = checkpointCommand(arguments[0], arguments[1])
	case command == "inclusion" && len(arguments) == 3:
		err = inclusionCommand(arguments[0], arguments[1], arguments[2])
	case command == "consistency" && len(arguments) == 3:
		err = consistencyCommand(arguments[0], arguments[1], arguments[2])
	case command == "tiles" && len(arguments) == 3:
		err = tilesCommand(arguments[0], arguments[1], arguments[2])
	case command == "bundle":
		err = bundleCommand(arguments)
	default:
		usage()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "DOES NOT HOLD:", err)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: checkpoint VKEY CHECKPOINT | inclusion VKEY PROOF LEAF |")
	fmt.Fprintln(os.Stderr, "  consistency VKEY CHECKPOINT REQUEST | tiles VKEY CHECKPOINT DIRECTORY |")
	fmt.Fprintln(os.Stderr, "  bundle [-key VKEY | -policy FILE] [-brief] BUNDLE...")
	os.Exit(2)
}

func checkpointCommand(vkey, file string) error {
	_, checkpoint, err := openFile(vkey, file)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%d\n%s\n", checkpoint.origin, checkpoint.size, checkpoint.root)
	return nil
}

func inclusionCommand(vkey, proofFile, leafFile string) error {
	log, err := parseKey(vkey, kindLog)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	proof, err := parseProof(data)
	if err != nil {
		return err
	}
	leaf, err := os.ReadFile(leafFile)
	if err != nil {
		return err
	}
	checkpoint, err := openCheckpoint(proof.checkpoint, log)
	if err != nil {
		return err
	}
	if err := proof.check(leaf, checkpoint); err != nil {
		return err
	}
	fmt.Printf("leaf %d is in the tree of %d\n", proof.index, checkpoint.size)
	return nil
}

func consistencyCommand(vkey, oldFile, requestFile string) error {
	log, before, err := openFile(vkey, oldFile)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(requestFile)
	if err != nil {
		return err
	}
	request, err := parseRequest(data)
	if err != nil {
		return err
	}
	after, err := openCheckpoint(request.checkpoint, log)
	if err != nil {
		return err
	}
	if err := request.check(before, after); err != nil {
		return err
	}
	fmt.Printf("the tree of %d begins with the tree of %d\n", after.size, before.size)
	return nil
}

func openFile(vkey, file string) (key, checkpoint, error) {
	log, err := parseKey(vkey, kindLog)
	if err != nil {
		return key{}, checkpoint{}, err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return key{}, checkpoint{}, err
	}
	opened, err := openCheckpoint(data, log)
	return log, opened, err
}
