package cli

import (
	"errors"
	"io"
	"os"
	"strings"
)

// maxSecret is the size of the longest secret in a file, in bytes.
const maxSecret = 64 << 10

// Secret returns the value of the variable name, or the content of the file that the variable name_FILE
// names, without a line break at its end. It returns "" if neither is set. Both together are an error of
// the command line. A file that is empty, cannot be read or is larger than 64 KiB is an error, which shows
// neither its content nor its path.
func (e *Env) Secret(name string) (string, error) {
	value, file := e.Getenv(name), name+"_FILE"
	path := e.Getenv(file)
	switch {
	case path == "":
		return value, nil
	case value != "":
		return "", UsageError("%s and %s are both set: unset one of them", name, file)
	}
	secret, err := readSecret(path)
	if err != nil {
		return "", UsageError("%s: %w", file, WithoutPath(err)) // the path is left out: it may be the secret itself
	}
	return secret, nil
}

func readSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	switch {
	case err != nil:
		return "", err
	case len(b) > maxSecret:
		return "", errors.New("the file is larger than 64 KiB, so it is no secret")
	}
	secret := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if secret == "" {
		return "", errors.New("the file is empty")
	}
	return secret, nil
}
