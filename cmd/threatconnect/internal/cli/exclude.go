package cli

import (
	"fmt"
	"os"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// AddList adds the list in a file of --exclude to exclusions. Reasons name the list by name.
func AddList(x *ioc.Exclusions, name, path string) error {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		err = x.AddList(name, f)
	}
	if err != nil {
		return fmt.Errorf("--exclude %s: %w", path, WithoutPath(err))
	}
	return nil
}
