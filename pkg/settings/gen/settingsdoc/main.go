// Command settingsdoc writes the generated pages of the settings, infra/docs/settings.md and settings.schema.json, or
// prints the Terraform variables. Run it in the root of the repository after changing a declaration:
//
//	go run ./pkg/settings/gen/settingsdoc
//	go run ./pkg/settings/gen/settingsdoc -terraform > variables.tf
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/arbridge/arbridge/pkg/settings"
	"github.com/arbridge/arbridge/pkg/settings/gen"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "settingsdoc:", err)
		os.Exit(1)
	}
}

func run(args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("settingsdoc", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "root of the repository")
	terraform := flags.Bool("terraform", false, "print the Terraform variables instead of writing files")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := settings.Declarations()
	if *terraform {
		_, err := out.Write(gen.Terraform(all))
		return err
	}
	files, err := gen.Files(all)
	if err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(*root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}
