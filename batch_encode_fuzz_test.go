package threatconnect

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The encoder checks and writes text in one go. What it takes and what it makes of it is what the
// checks say that stand for themselves.
func FuzzEncoderAgreesWithTheChecks(f *testing.F) {
	f.Add("node-1.feed.example", " tag ", "Description", "text", "x-1", uint8(3))
	f.Add("https://A.example:080/é?\"", "\x7f", "Source", "\u2028", "\u0085", uint8(4))
	f.Add("https://u:p@[::1]:1/", "", "a", "", " ", uint8(4))
	f.Add("e3b0c44298fc1c149afbf4c8996fb924", strings.Repeat("é", 129), "\xff", "b", "c", uint8(2))
	f.Add(`Global\a b`, strings.Repeat("t", 129), "a", "b\xc3", "c\n", uint8(7))
	f.Add("a", strings.Repeat("t", 129), "a", "b", "c", uint8(7))
	f.Add("a", strings.Repeat("t", 128), "a", "b", "c", uint8(7))
	f.Add("a", " ", "a", "b", "c", uint8(7))
	f.Add(" ", "a\\b", "\t", "b", "\"", uint8(9))
	f.Fuzz(func(t *testing.T, value, tag, attributeType, attributeValue, xid string, kind uint8) {
		def := &indicatorDefs[int(kind)%len(indicatorDefs)]
		ind := def.new()
		ind.setValues([3]string{value})
		attribute := Attribute{Type: attributeType, Value: attributeValue}
		m := ind.Meta()
		m.Tags, m.Attributes, m.GroupXIDs = []Tag{{Name: tag}}, []Attribute{attribute}, []string{xid}
		known := newKnownGroups([]string{xid})
		e := encoder{version: BatchV2, action: BatchCreate, known: &known}
		_, got := e.encode(ind)

		v, err := def.canonical(ind.values())
		summary := ""
		if err == nil {
			if summary, err = def.summary(v); err == nil {
				err = checkVerbatim(string(def.typ), summary)
			}
		}
		wantTag, tagErr := canonicalTag(tag)
		want := firstError(err, attribute.check(), tagErr, checkVerbatim("associated group", xid))
		require.Equal(t, want == nil, got == nil, "%v, want %v", got, want)
		if want != nil {
			require.ErrorIs(t, got, ErrValidation)
			return
		}
		var item struct {
			Type, Summary    string
			Attribute        []Attribute
			Tag              []Tag
			AssociatedGroups []struct{ GroupXID string }
		}
		require.NoError(t, json.Unmarshal(e.Buf, &item))
		require.Equal(t, []string{string(def.typ), summary, wantTag, xid}, []string{item.Type, item.Summary, item.Tag[0].Name, item.AssociatedGroups[0].GroupXID})
		require.Equal(t, []Attribute{attribute}, item.Attribute)
	})
}

func TestABlankIndicatorOfACustomTypeIsRefused(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", " ", "\u00a0"} {
		known := newKnownGroups(nil)
		e := encoder{version: BatchV2, action: BatchCreate, known: &known}
		_, err := e.encode(NewCustomIndicator("Wallet", value))
		assert.ErrorIs(t, err, ErrValidation)
	}
}

func TestTextThatIsNotUTF8IsBlamedOnWhatHoldsIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*IndicatorMeta)
		field  string
	}{
		"the attribute":            {func(m *IndicatorMeta) { m.Attributes[0].Value = "\xff" }, "attribute"},
		"the type of an attribute": {func(m *IndicatorMeta) { m.Attributes[0].Type = "\xff" }, "attribute"},
		"something before it":      {func(m *IndicatorMeta) { m.Description = "\xff" }, "batch item"},
		"the tag":                  {func(m *IndicatorMeta) { m.Tags[0].Name = "\xff" }, "tag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := NewHost("node-1.feed.example")
			h.Attributes, h.Tags = []Attribute{{Type: "Description", Value: "text"}}, []Tag{{Name: "tag"}}
			c.change(h.Meta())
			known := newKnownGroups(nil)
			e := encoder{version: BatchV2, action: BatchCreate, known: &known}
			_, err := e.encode(h)
			var invalid *ValidationError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, c.field, invalid.Field)
		})
	}
}
