package attribute

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// object returns a JSON object of keys and values.
func object(fields ...string) []byte {
	var w wire.Writer
	w.BeginObject()
	for i := 0; i < len(fields); i += 2 {
		w.Key(fields[i])
		w.Text(fields[i+1])
	}
	w.EndObject()
	return w.Buf
}

// fileOf parses a file from lines: a letter for the kind of item and its texts, separated by tabs.
func fileOf(lines string) *item.File {
	var f item.File
	for n, line := range strings.Split(lines, "\n") {
		texts := append(strings.Split(line, "\t"), "", "", "")
		a, b, c := texts[1], texts[2], texts[3]
		switch texts[0] {
		case "h":
			f.Add(item.Indicators, int64(n), object("type", "Host", "summary", a, "xid", b, "description", c))
		case "m":
			f.Add(item.Indicators, int64(n), object("type", "Mutex", "summary", a, "xid", b, "description", c))
		case "f":
			f.Add(item.Indicators, int64(n), object("type", "File", "summary", a+" : "+b, "description", c))
		case "c":
			f.Add(item.Indicators, int64(n), object("type", "Coin", "value1", a, "value2", b, "description", c))
		case "g":
			f.Add(item.Groups, int64(n), object("name", "n"+a, "type", "Threat", "xid", b, "description", c))
		case "a":
			f.Add(item.Associations, int64(n), object("type_1", "Host", "ref_1", a, "ref_2", b))
		}
	}
	return &f
}

// entryOf parses an error from lines: code, message, cause, type, xid and references.
func entryOf(lines string) Entry {
	l := append(strings.Split(lines, "\n"), "", "", "", "", "")
	e := Entry{Code: l[0], Reason: l[1], Cause: l[2], Source: Source{Type: l[3], XID: l[4]}}
	for _, ref := range l[5:] {
		if ref != "" {
			e.Source.Refs = append(e.Source.Refs, ref)
		}
	}
	return e
}

// loose normalizes a text for comparison. It ignores more differences than a Matcher does.
func loose(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// names returns the possible names of an item, without its type.
func names(json []byte) (names []string) {
	n := item.NameOf(json)
	for _, name := range append([]string{n.Ref, n.XID, n.Title}, n.Hashes...) {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// same reports whether two items are the same on the platform according to their names.
func same(f *item.File, p, q int) bool {
	s, a, _ := f.At(p)
	t, b, _ := f.At(q)
	n, o := item.NameOf(a), item.NameOf(b)
	switch {
	case s != t:
		return false
	case s == item.Groups:
		return n.Ref == o.Ref
	case s == item.Associations:
		return bytes.Equal(a, b)
	}
	return n.Type == o.Type && n.Ref == o.Ref && slices.Equal(n.Values, o.Values)
}

// checkBlame fails if an error is assigned to an item that it does not name, or to one of several
// items that it may name.
func checkBlame(t *testing.T, f *item.File, part item.Part, e Entry) {
	t.Helper()
	m := New(f, part)
	pos, ok := m.Find(&e)
	if !ok {
		return
	}
	require.True(t, pos >= part.From && pos < part.To, "the item is in the part")
	section, blamed, _ := f.At(pos)
	if told, ok := m.byPath(&e); ok && told == pos && (e.Code == "" || e.Code == CodeSyntax) && !strings.HasPrefix(e.Reason, "'") {
		return // the platform gives the position
	}
	switch e.Code {
	case CodeIndicator, CodeIndicatorLoss, CodeHashMerge, CodeHashMergeToo:
		require.Equal(t, item.Indicators, section, "%+v", e)
	case CodeGroup, CodeGroupLoss:
		require.Equal(t, item.Groups, section, "%+v", e)
	}
	if section != item.Associations && e.Source.Type != "" {
		require.True(t, strings.EqualFold(e.Source.Type, item.NameOf(blamed).Type), "%+v", e)
	}

	if e.Source.XID != "" || len(e.Source.Refs) > 0 {
		said := append(slices.Clone(e.Source.Refs), e.Source.XID)
		calls := func(name string) bool {
			return slices.ContainsFunc(said, func(ref string) bool {
				_, value, typed := strings.Cut(ref, ": ")
				return ref != "" && loose(ref) == loose(name) || typed && loose(value) == loose(name)
			})
		}
		require.True(t, slices.ContainsFunc(names(blamed), calls), "%+v has no name of %s", e, blamed)
		for other := part.From; other < part.To; other++ {
			if s, text, _ := f.At(other); s == section && !same(f, pos, other) && e.Source.XID == "" && !e.links() && len(said) == 2 {
				n, o := item.NameOf(blamed), item.NameOf(text)
				if o.Type == n.Type || e.Source.Type == "" && !strings.Contains(said[0], ": ") {
					require.False(t, o.Ref == said[0] && n.Ref != said[0], "%+v names %s exactly, and not %s", e, text, blamed)
				}
			}
		}
		return
	}

	words := loose(e.Reason) + "\n" + loose(e.Cause)
	said := slices.DeleteFunc(names(blamed), func(name string) bool {
		return !strings.Contains(words, loose(strings.Trim(name, punctuation)))
	})
	require.NotEmpty(t, said, "%+v contains no name of %s", e, blamed)
	for other := part.From; other < part.To; other++ {
		s, text, _ := f.At(other)
		if !e.about(s) || same(f, pos, other) {
			continue
		}
		var fields map[string]string
		require.NoError(t, json.Unmarshal(text, &fields))
		held := func(name string) bool {
			for _, value := range fields {
				if strings.Contains(loose(value), loose(strings.Trim(name, punctuation))) {
					return true
				}
			}
			return false
		}
		require.True(t, slices.ContainsFunc(said, func(name string) bool { return !held(name) }), "%+v may be about %s as well as %s", e, text, blamed)
	}
}

// FuzzMatchedItemIsNamedInError generates files and errors from arbitrary texts.
func FuzzMatchedItemIsNamedInError(f *testing.F) {
	for _, seed := range [][2]string{
		{"h\ta.example\nm\ta.example", "0x1005\nno\n\nHost\n\na.example"},
		{"h\ta.example\nm\tMutex b", "0x1005\nMutex 'Mutex b' is bad\njava.lang.X: Mutex b"},
		{"f\tAA\tBB\nm\tbb\nf\taa\tCC", "0x1005\nno\n\nFile\n\nbb"},
		{"c\ta : b\tc\nc\ta\tb : c\nm\ta", "0x1005\nno\n\n\n\na : b : c"},
		{"g\ta\tx-1\nh\tx-1\tx-1\ng\tb\tx-2", "0x1006\nno\n\n\nx-1"},
		{"a\ta.example\tx-1\na\ta.example\tx-2\nh\ta.example", "0x1009\nThe Group with xid 'x-2' was not found\n\n\n\na.example"},
		{"a\tx-1\tx-1\na\tx-1\tx-2", "0x1007\nx-1 and x-2\n\n\nx-1\nx-2"},
		{"h\ta\nh\tb\ng\tc\tx-3", "0x1003\nLast known JSON path: '$.indicator[1].rating'"},
		{"m\tLast known JSON path: '$.indicator[0]'\nh\ta", "0x1001\nLast known JSON path: '$.indicator[0]' is bad"},
		{"m\tfoo\nm\tfoo  BAR\tx-1\tfoo", "0x1005\nMutex: foo bar."},
		{"m\tÉ\t\t\nm\té", "0x2001\n'É' (é)"},
	} {
		f.Add(seed[0], seed[1], uint8(0))
	}
	f.Fuzz(func(t *testing.T, lines, entry string, cut uint8) {
		lines, entry = strings.ToValidUTF8(lines, "?"), strings.ToValidUTF8(entry, "?")
		file := fileOf(lines)
		all := file.All()
		from := min(int(cut), all.To)
		checkBlame(t, file, item.Part{From: from, To: all.To}, entryOf(entry))
		checkBlame(t, file, item.Part{To: from}, entryOf(entry))
	})
}
