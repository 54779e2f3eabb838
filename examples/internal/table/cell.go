package table

import (
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// Clean makes text that somebody else wrote fit for a line on a terminal: white space becomes
// blanks, and characters that cannot be seen, that control the terminal or that turn the direction
// of writing become question marks in a diamond.
func Clean(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, s))
}

// wrap breaks a text into lines of at most width columns, at blanks where there are some.
func wrap(s string, width int) []string {
	var lines []string
	for Width(s) > width {
		end, broken := cut(s, width)
		lines = append(lines, strings.TrimRight(s[:end], " "))
		s = s[end:]
		if broken {
			s = strings.TrimLeft(s, " ")
		}
	}
	return append(lines, s)
}

// cut returns where the first line of s ends, and whether there is a blank there. A line has at
// least one character, also when that is wider than the line.
func cut(s string, width int) (end int, blank bool) {
	used, last := 0, 0
	for i, r := range s {
		n := runewidth.RuneWidth(r)
		if used+n > width && i > 0 {
			end = i
			if r == ' ' {
				last = i
			}
			break
		}
		if r == ' ' {
			last = i
		}
		used += n
		end = i + len(string(r))
	}
	if last > 0 {
		return last, true
	}
	return end, false
}
