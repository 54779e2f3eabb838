package changes

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// maxLine is the length of a line of a block list in bytes.
const maxLine = 64 << 10

// notCanonical is the reason for a value that is not canonical: programs that read the list could interpret it as
// another type.
const notCanonical = "not a valid value of its type"

// lineTypes are the types of the values of a block list.
var lineTypes = []ioc.Type{
	ioc.TypeAddress, ioc.TypeCIDR, ioc.TypeFile, ioc.TypeURL, ioc.TypeEmailAddress, ioc.TypeHost, ioc.TypeASN,
}

// liner makes the lines of a block list. Every line is the canonical form of a value of one of lineTypes.
type liner struct {
	exclusions *ioc.Exclusions  // nil excludes nothing
	leftOut    map[string]int64 // numbers of values that are no lines, by reason
}

// of returns the lines of an indicator. There are none if its type is not in lineTypes. For a changed indicator, it
// leaves out and counts excluded values. For a removed one, it includes them, because an old list can contain them.
func (l *liner) of(r *row) []string {
	typ := ioc.Type(r.Type)
	if !slices.Contains(lineTypes, typ) {
		return nil
	}
	lines := canonicalLines(typ, r.Indicator)
	if r.Action != changed {
		return lines
	}
	if lines == nil {
		l.leftOut[notCanonical]++
		return nil
	}
	for _, line := range lines {
		if reason, excluded := l.exclude(typ, line); excluded {
			l.leftOut[reason]++
			return nil
		}
	}
	return lines
}

// old returns the canonical form of a line of an existing list, which may come from another program, or the reason if
// it cannot stay.
func (l *liner) old(line string) (canonical, reason string) {
	for _, typ := range lineTypes {
		lines := canonicalLines(typ, line)
		if len(lines) != 1 {
			continue
		}
		reason, _ := l.exclude(typ, lines[0])
		return lines[0], reason
	}
	return line, notCanonical
}

func (l *liner) exclude(typ ioc.Type, line string) (reason string, exclude bool) {
	if l.exclusions == nil {
		return "", false
	}
	return l.exclusions.Exclude(string(typ), line)
}

// canonicalLines returns the canonical form of a value, and of each hash of a file, or nil if there is none
// that can be a line.
func canonicalLines(typ ioc.Type, value string) (lines []string) {
	value, err := ioc.Canonical(typ, value)
	if err != nil || len(value) > maxLine || strings.HasPrefix(value, "#") { // a comment, though an email address
		return nil
	}
	if typ != ioc.TypeFile {
		return []string{value}
	}
	md5, sha1, sha256, err := ioc.SplitFileSummary(value)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc([]string{md5, sha1, sha256}, func(hash string) bool { return hash == "" })
}

// report prints the numbers of values that were left out, by reason.
func (l *liner) report(env *cli.Env) {
	for _, reason := range slices.SortedFunc(maps.Keys(l.leftOut), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.leftOut[b], l.leftOut[a]), strings.Compare(a, b))
	}) {
		env.Printf("%s left out: %s", cli.Number(l.leftOut[reason]), reason)
	}
}
