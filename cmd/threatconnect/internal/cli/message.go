package cli

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"
)

// maxMessage is the number of characters of an exit message that the platform shows.
const maxMessage = 255

// Message returns the text in the form of an exit message of a job: one line of up to 255 printable characters. A
// longer text is cut and ends with an ellipsis.
func Message(text string) string {
	runes := []rune(Clean(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")))
	if len(runes) > maxMessage {
		return strings.TrimRight(string(runes[:maxMessage-1]), " ") + "…"
	}
	return string(runes)
}

// WriteMessage writes an exit message to the file message.tc in dir, where the platform reads it after
// the job. It replaces the file in one step, and refuses a symbolic link. An empty dir writes nothing.
func WriteMessage(dir, message string) error {
	if dir == "" {
		return nil
	}
	err := ReplaceFile(filepath.Join(dir, "message.tc"), func(w io.Writer) error {
		_, err := io.WriteString(w, message)
		return err
	})
	if err != nil {
		return fmt.Errorf("--tc_out_path: %w", WithoutPath(err))
	}
	return nil
}
