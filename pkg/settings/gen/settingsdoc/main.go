// Command settingsdoc writes what is generated from the settings: infra/docs/settings.md, settings.schema.json and the
// variables of the Terraform module config. Run it in the root of the repository after changing a declaration:
//
//	go run ./pkg/settings/gen/settingsdoc
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
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "settingsdoc:", err)
		os.Exit(1)
	}
}

func run(args []string, errs io.Writer) error {
	flags := flag.NewFlagSet("settingsdoc", flag.ContinueOnError)
	flags.SetOutput(errs)
	root := flags.String("root", ".", "root of the repository")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := settings.Declarations()
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
