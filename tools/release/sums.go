package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	"golang.org/x/mod/zip"
)

// printSums prints the checksums of the released modules in the commit that is checked out, in the format of
// go.sum. After a release, sum.golang.org must have the same.
func printSums(w io.Writer, repository, version string) (err error) {
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	source, err := clone(repository, work)
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(source, "LICENSE"))
	if err != nil {
		return err
	}
	for _, path := range []string{rootModule, otelModule, commandModule} {
		folder := filepath.Join(source, filepath.FromSlash(strings.TrimPrefix(path, rootModule)))
		// The go command adds the license of the repository to a module without one.
		if err := os.WriteFile(filepath.Join(folder, "LICENSE"), license, 0o600); err != nil {
			return err
		}
		sum, err := moduleSum(filepath.Join(work, "module.zip"), folder, module.Version{Path: path, Version: version})
		if err != nil {
			return fmt.Errorf("checksum of %s: %w", path, err)
		}
		if _, err := fmt.Fprintln(w, path, version, sum); err != nil {
			return err
		}
	}
	return nil
}

// moduleSum writes the zip file of the module in a folder and returns its checksum.
func moduleSum(file, folder string, m module.Version) (string, error) {
	f, err := os.Create(file)
	if err != nil {
		return "", err
	}
	if err := errors.Join(zip.CreateFromDir(f, m, folder), f.Close()); err != nil {
		return "", err
	}
	return dirhash.HashZip(file, dirhash.Hash1)
}
