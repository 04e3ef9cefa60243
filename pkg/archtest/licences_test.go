package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// binary is the program whose modules must have licences that let it be given away in any form.
const binary = "./functions/arbridge"

// unknownLicence is what a text is that none of the licences below is.
const unknownLicence = "unknown"

// allowedLicences ask for no more than that their text goes along, and of MPL-2.0 that its own files stay open.
func allowedLicences() []string {
	return []string{"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0"}
}

// licenceOf recognises a licence by the sentences that only it has. MPL-2.0, which names copyleft ones further down, and
// those are recognised by their title, which stands at the beginning.
func licenceOf(text string) string {
	text = strings.ToLower(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n*/#\"'“”‘’", r) }), " "))
	head := text[:min(len(text), 400)]
	has := func(parts ...string) bool {
		return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
	}
	redistribution := has("redistribution and use in source and binary forms", "redistributions in binary form must reproduce")
	switch {
	case strings.Contains(head, "mozilla public license version 2.0"), strings.Contains(head, "mozilla public license, version 2.0"):
		return "MPL-2.0"
	case strings.Contains(head, "gnu affero general public license"):
		return "AGPL"
	case strings.Contains(head, "gnu lesser general public license"), strings.Contains(head, "gnu library general public license"):
		return "LGPL"
	case strings.Contains(head, "gnu general public license"):
		return "GPL"
	case has("apache license", "version 2.0"):
		return "Apache-2.0"
	case has("permission is hereby granted, free of charge", "the above copyright notice and this permission notice"):
		return "MIT"
	case redistribution && has("all advertising materials mentioning"):
		return unknownLicence
	case redistribution && has("neither the name"), redistribution && has("names of its contributors may not be used"):
		return "BSD-3-Clause"
	case redistribution:
		return "BSD-2-Clause"
	case has("permission to use, copy, modify, and", "distribute this software for any purpose"):
		return "ISC"
	}
	return unknownLicence
}

var (
	licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)(\.(txt|md))?$`)
	moreLicence = regexp.MustCompile(`(?i)^(licen[cs]e|copying)[-_.].*$`)
)

// checkLicence says what is wrong with the licence of a module in a folder, or nothing. Beside the licence itself there may
// be those of parts that were taken over, which must not be copyleft.
func checkLicence(module, dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf("%s: %v; run go mod download", module, err)
	}
	found := false
	for _, e := range entries {
		own := licenceFile.MatchString(e.Name())
		if e.IsDir() || !own && !moreLicence.MatchString(e.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Sprintf("%s: %v", module, err)
		}
		switch kind := licenceOf(string(text)); {
		case slices.Contains(allowedLicences(), kind):
			found = found || own
		case own || kind != unknownLicence:
			return fmt.Sprintf("%s: %s is of kind %s, allowed are %s", module, e.Name(), kind, strings.Join(allowedLicences(), ", "))
		}
	}
	if !found {
		return module + ": no licence file"
	}
	return ""
}

// linkedModules are the modules that code of a program comes from, with their folders.
func linkedModules(t *testing.T, root string) map[string]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=Module", binary)
	cmd.Dir = root
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing the modules of %s: %v\n%s", binary, err, problems.String())
	}
	modules := map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return modules
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main {
			modules[p.Module.Path+" "+p.Module.Version] = p.Module.Dir
		}
	}
}

// TestLicences holds every module in the binary to a licence that is allowed.
func TestLicences(t *testing.T) {
	modules := linkedModules(t, moduleRoot(t))
	if len(modules) < 20 {
		t.Fatalf("only %d modules were found", len(modules))
	}
	for module, dir := range modules {
		if problem := checkLicence(module, dir); problem != "" {
			t.Error(problem)
		}
	}
}

func TestForbiddenLicencesAreFound(t *testing.T) {
	const (
		mit    = "The MIT License\n\nPermission is hereby granted, free of\n charge, to any person ... The above copyright notice and this permission notice shall"
		gpl    = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n"
		agpl   = "GNU AFFERO GENERAL PUBLIC LICENSE Version 3"
		lgpl   = "GNU LESSER GENERAL PUBLIC LICENSE Version 2.1"
		bsd2   = "Redistribution and use in source and binary forms ... Redistributions in binary form must reproduce the above"
		bsd4   = bsd2 + " All advertising materials mentioning features"
		mpl    = "Mozilla Public License Version 2.0 ... 1.12. Secondary License means either the GNU General Public License, Version 2.0"
		isc    = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee"
		apache = "Apache License\n Version 2.0, January 2004"
	)
	for name, tt := range map[string]struct {
		files map[string]string
		want  string
	}{
		"MIT":                  {map[string]string{"LICENSE": mit}, ""},
		"Apache":               {map[string]string{"LICENSE.md": apache}, ""},
		"BSD-2":                {map[string]string{"LICENCE.txt": bsd2}, ""},
		"BSD-3":                {map[string]string{"COPYING": bsd2 + " Neither the name of"}, ""},
		"ISC":                  {map[string]string{"license": isc}, ""},
		"MPL":                  {map[string]string{"LICENSE": mpl}, ""},
		"with a logo's":        {map[string]string{"LICENSE": mit, "LICENSE-LOGO": "Creative Commons"}, ""},
		"none":                 {map[string]string{"README.md": mit}, "m: no licence file"},
		"only a part's":        {map[string]string{"LICENSE-MMAP": mit}, "m: no licence file"},
		"GPL":                  {map[string]string{"LICENSE": gpl}, "m: LICENSE is of kind GPL"},
		"AGPL":                 {map[string]string{"LICENSE": agpl}, "is of kind AGPL"},
		"LGPL":                 {map[string]string{"COPYING": lgpl}, "m: COPYING is of kind LGPL"},
		"a part under the GPL": {map[string]string{"LICENSE": mit, "LICENSE-PART": gpl}, "m: LICENSE-PART is of kind GPL"},
		"one of two":           {map[string]string{"LICENSE": mit, "COPYING": gpl}, "m: COPYING is of kind GPL"},
		"BSD with advertising": {map[string]string{"LICENSE": bsd4}, "is of kind unknown"},
		"made up":              {map[string]string{"LICENSE": "Do as we say."}, "is of kind unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := checkLicence("m", dir); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	if got := checkLicence("m", filepath.Join(t.TempDir(), "gone")); !strings.Contains(got, "go mod download") {
		t.Errorf("a module that is not there: %q", got)
	}
}
