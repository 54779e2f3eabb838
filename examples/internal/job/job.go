// Package job is what the examples share that run as ThreatConnect jobs: parameters under the
// platform's own names, exit codes, and the exit message.
package job

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// Exit codes, as the platform reads them.
const (
	Success = 0 // everything was done
	Failure = 1 // nothing was done
	Partial = 3 // some of it was done
)

// mostMessage is how many characters of an exit message the platform shows.
const mostMessage = 255

// Message brings the exit message of a job into the form that the platform shows: one line of at
// most 255 characters without control characters. What is cut off ends in an ellipsis.
func Message(text string) string {
	runes := []rune(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " "))
	if len(runes) > mostMessage {
		return strings.TrimRight(string(runes[:mostMessage-1]), " ") + "…"
	}
	return string(runes)
}

// WriteMessage writes the exit message to the file message.tc in dir, where the platform looks for
// it after the job. An empty dir writes nothing.
func WriteMessage(dir, message string) error {
	if dir == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "message.tc"), []byte(message), 0o644); err != nil {
		return fmt.Errorf("write the exit message: %w", err)
	}
	return nil
}
