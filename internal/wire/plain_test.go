package wire

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainSlowly is Plain, one rune at a time.
func plainSlowly(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' })
}

func TestPlainChecksEveryByteAtEveryPosition(t *testing.T) {
	t.Parallel()
	for size := range 40 {
		for _, around := range []string{"x", " ", "~", "]", "#", "!"} {
			b := []byte(strings.Repeat(around, size))
			for at := range size {
				for c := range 256 {
					b[at] = byte(c)
					if s := string(b); Plain(s) != plainSlowly(s) {
						t.Fatalf("%d bytes of %q, %#x at %d: %v", size, around, c, at, Plain(s))
					}
				}
				b[at] = around[0]
			}
		}
	}
	assert.True(t, Plain(""))
}

func FuzzPlainTextMatchesQuote(f *testing.F) {
	f.Add("node-1.feed.example", "/x")
	f.Add(`Global\a b`, "\x7f")
	f.Add("\xff", "\x80\x01\"")
	f.Fuzz(func(t *testing.T, a, b string) {
		s := a + b
		require.Equal(t, plainSlowly(s), Plain(s))
		var fast, slow Writer
		require.Equal(t, Plain(s), fast.Text(s))
		slow.quote(s) // examines every byte
		require.Equal(t, slow.Err() == nil, fast.Err() == nil)
		require.Equal(t, string(slow.Buf), string(fast.Buf))
		require.Equal(t, utf8.ValidString(s), fast.Err() == nil)
	})
}

func TestWriterWritesNamesAsKeys(t *testing.T) {
	t.Parallel()
	var name, key Writer
	for _, w := range []struct {
		*Writer
		put func(string)
	}{{&name, func(k string) { name.Name(Name(k)) }}, {&key, key.Key}} {
		w.BeginObject()
		for _, k := range []string{"", "a", "summary", "associatedGroups"} {
			w.put(k)
			w.Null()
		}
		w.EndObject()
	}
	assert.Equal(t, `{"":null,"a":null,"summary":null,"associatedGroups":null}`, string(name.Buf))
	assert.Equal(t, string(key.Buf), string(name.Buf))
}
