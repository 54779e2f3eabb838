// Package secret reads secrets from environment variables, or from the files that they name.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxBytes is the size of the largest file that is read.
const maxBytes = 64 << 10

// Error is the error of a variable. It contains neither the secret nor the path of its file, which may be the
// secret itself by mistake.
type Error struct{ Variable, Rule, Fix string }

// Error returns the variable, the rule and the fix.
func (e *Error) Error() string { return e.Variable + " " + e.Rule + ": " + e.Fix }

// Lookup returns the value of the variable name, or the content of the file that the variable name_FILE names,
// without a line break at its end, and the variable that it is from. If neither is set, it returns "", "" and nil.
// It returns an [*Error] if both are set, and for a file that cannot be read, is empty or is larger than 64 KiB.
func Lookup(getenv func(string) string, name string) (value, from string, err error) {
	value, from = getenv(name), name+"_FILE"
	path := getenv(from)
	switch {
	case path == "" && value == "":
		return "", "", nil
	case path == "":
		return value, name, nil
	case value != "":
		return "", "", &Error{from, "is set together with " + name, "unset one of them"}
	}
	b, err := readFile(path)
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	value = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	switch {
	case err != nil:
		return "", "", &Error{from, fmt.Sprintf("names a file that cannot be read (%v)", err), "check its path and permissions"}
	case len(b) > maxBytes:
		return "", "", &Error{from, "names a file of more than 64 KiB", "write only the secret to it"}
	case value == "":
		return "", "", &Error{from, "names an empty file", "write the secret to it"}
	}
	return value, from, nil
}

// readFile reads up to one byte more than the limit.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}
