package cli

import (
	"io"

	"github.com/threatconnect-go/threatconnect/internal/durable"
)

// ReplaceFile replaces the file at path atomically by the output of write. A new file gets the permissions that
// the umask allows. A symbolic link is an error.
func ReplaceFile(path string, write func(io.Writer) error) error {
	f, err := durable.NewReplacement(path, 0o666)
	if err != nil {
		return err
	}
	defer f.Abort()
	if err := write(f); err != nil {
		return err
	}
	return f.Commit()
}
