package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func bundleCommand(arguments []string) error {
	flags := flag.NewFlagSet("bundle", flag.ExitOnError)
	vkey := flags.String("key", "", "the log's key, as you know it (otherwise the bundle's own)")
	file := flags.String("policy", "", "your own policy file")
	brief := flags.Bool("brief", false, "one line a bundle: file, four states, ok or not")
	_ = flags.Parse(arguments) // exits by itself
	pinned, err := pinnedPolicy(*vkey, *file)
	if err != nil {
		return err
	}
	if flags.NArg() == 0 {
		usage()
	}
	contradicted := 0
	for _, path := range flags.Args() {
		report, err := checkBundle(path, pinned)
		if err != nil || !report.holds() {
			contradicted++
		}
		if *brief {
			fmt.Println(path, line4(report, err))
		} else {
			print(path, pinned != nil, report, err)
		}
	}
	if contradicted > 0 {
		return fmt.Errorf("something contradicts %d of %d bundles", contradicted, flags.NArg())
	}
	return nil
}

func pinnedPolicy(vkey, file string) (*policy, error) {
	switch {
	case vkey != "" && file != "":
		return nil, errors.New("a key and a policy: give one of them")
	case vkey != "":
		log, err := parseKey(vkey, kindLog)
		return &policy{logs: []key{log}, quorum: none}, err
	case file != "":
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return parsePolicy(data)
	}
	return nil, nil
}

func line4(report *report, err error) string {
	if err != nil {
		return "refused"
	}
	c := report.claims
	return fmt.Sprint(c[0], " ", c[1], " ", c[2], " ", c[3], " ", report.holds())
}

func print(path string, pinned bool, report *report, err error) {
	if err != nil {
		fmt.Printf("%s: REFUSED: %v\n", path, err)
		return
	}
	fmt.Println(path)
	if pinned {
		fmt.Println("  key: given by you")
	} else {
		fmt.Println("  key: out of this bundle, compare it with the log's")
	}
	for i, title := range []string{"documents", "log", "witnesses", "timestamp"} {
		fmt.Printf("  %-9s  %s\n", title, report.claims[i])
	}
	if report.mlDSA > 0 {
		fmt.Printf("  NOT CHECKED  %d ML-DSA-44 signatures of the checkpoint\n", report.mlDSA)
	}
	for _, problem := range report.problems {
		fmt.Printf("  PROBLEM    %s: %s\n", problem.file, problem.what)
	}
}
