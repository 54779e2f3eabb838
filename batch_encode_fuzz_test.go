package threatconnect_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	tc "github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// indicatorOf returns an indicator of the type that kind selects, with as many of the values as the type has, and its
// summary. The error, if any, says why the values are invalid.
func indicatorOf(kind uint8, values ...string) (ind tc.Indicator, summary string, err error) {
	first := func(ind tc.Indicator, canonical func(string) (string, error)) (tc.Indicator, string, error) {
		summary, err := canonical(values[0])
		return ind, summary, errors.Join(err, canon.CheckText("", summary))
	}
	verbatim := func(s string) (string, error) { return canon.Verbatim("", s) }
	switch kind % 13 {
	case 0:
		return first(tc.NewAddress(values[0]), canon.Address)
	case 1:
		return first(tc.NewEmailAddress(values[0]), canon.EmailAddress)
	case 2:
		f := &tc.File{MD5: values[0], SHA1: values[1], SHA256: values[2]}
		hashes, err := canon.Hashes([3]string(values))
		return f, canon.JoinFileSummary(hashes[0], hashes[1], hashes[2]), err
	case 3:
		return first(tc.NewHost(values[0]), canon.Host)
	case 4:
		return first(tc.NewURL(values[0]), canon.URL)
	case 5:
		return first(tc.NewASN(values[0]), canon.ASN)
	case 6:
		return first(tc.NewCIDR(values[0]), canon.CIDR)
	case 7:
		return first(tc.NewMutex(values[0]), verbatim)
	case 8:
		key, name, typ, err := canon.RegistryKey(values[0], values[1], values[2])
		if err == nil {
			summary, err = canon.JoinRegistrySummary(key, name, typ)
		}
		return tc.NewRegistryKey(values[0], values[1], values[2]), summary, err
	case 9:
		return first(tc.NewUserAgent(values[0]), verbatim)
	case 10:
		return first(tc.NewEmailSubject(values[0]), verbatim)
	case 11:
		return first(tc.NewHashtag(values[0]), verbatim)
	}
	for len(values) > 1 && values[len(values)-1] == "" {
		values = values[:len(values)-1]
	}
	summary, err = verbatim(strings.Join(values, " : "))
	return tc.NewCustomIndicator("Wallet", values[0], values[1:]...), summary, err
}

// An item must be accepted exactly if the rules accept each of its texts, and must be encoded in the form that they
// prescribe.
func FuzzEncoderMatchesValidation(f *testing.F) {
	f.Add("node-1.feed.example", " tag ", "Description", "text", "x-1", uint8(3))
	f.Add("https://A.example:080/é?\"", "\x7f", "Source", "\u2028", "\u0085", uint8(4))
	f.Add("https://u:p@[::1]:1/", "", "a", "", " ", uint8(4))
	f.Add("e3b0c44298fc1c149afbf4c8996fb924", strings.Repeat("é", 129), "\xff", "b", "c", uint8(2))
	f.Add(`Global\a b`, strings.Repeat("t", 129), "a", "b\xc3", "c\n", uint8(7))
	f.Add("a", strings.Repeat("t", 129), "a", "b", "c", uint8(7))
	f.Add("a", strings.Repeat("t", 128), "a", "b", "c", uint8(7))
	f.Add("a", " ", "a", "b", "c", uint8(7))
	f.Add(" ", "a\\b", "\t", "b", "\"", uint8(9))
	f.Add("0", "0", "\x12", "0", "0", uint8(7))
	f.Fuzz(func(t *testing.T, value, tag, attributeType, attributeValue, xid string, kind uint8) {
		ind, summary, err := indicatorOf(kind, value, "", "")
		m := ind.Meta()
		m.Tags, m.Attributes, m.GroupXIDs = []tc.Tag{{Name: tag}}, []tc.Attribute{{Type: attributeType, Value: attributeValue}}, []string{xid}
		tag, tagErr := canon.Tag(tag)
		_, xidErr := canon.Verbatim("", xid)
		badAttribute := canon.IsBlank(attributeType) || canon.CheckText("", attributeType) != nil || canon.IsBlank(attributeValue) || !utf8.ValidString(attributeValue)
		refused := err != nil || tagErr != nil || xidErr != nil || badAttribute

		cfg := appendConfig()
		cfg.KnownGroup = knows(xid)
		file, err := encode(t, cfg, ind)
		require.Equal(t, refused, err != nil, "%v", err)
		if refused {
			require.ErrorIs(t, err, tc.ErrValidation)
			return
		}
		require.Equal(t, 1, file.items())
		require.Equal(t, map[string]any{
			"type": string(ind.Type()), "summary": summary,
			"attribute":        []any{map[string]any{"type": attributeType, "value": attributeValue}},
			"tag":              []any{map[string]any{"name": tag}},
			"associatedGroups": []any{map[string]any{"groupXid": xid}},
		}, members(t, string(file.Indicator[0])))
	})
}

// object is a JSON object. Its methods omit empty texts and zero times.
type object map[string]any

func (o object) text(key, v string) {
	if v != "" {
		o[key] = v
	}
}

func (o object) time(key string, v time.Time) {
	if !v.IsZero() {
		o[key] = v.UTC().Format("2006-01-02T15:04:05Z")
	}
}

func (o object) list(key string, v ...object) {
	var list []any
	for _, e := range v {
		list = append(list, map[string]any(e))
	}
	o[key] = list
}

// An item must be encoded with every field that is set and nothing else. Its links must be encoded with it.
func FuzzEncodingPreservesItem(f *testing.F) {
	f.Add("a.example", "text", "x-1", "tag", int64(1772323200), 3.5, uint8(3), uint16(0xffff))
	f.Add("\"", "\\\u2028", "\x00", "\xff", int64(1<<40), -1.0, uint8(1), uint16(0))
	f.Add("a : b", " ", "", "}]", int64(-1<<40), 5.0, uint8(12), uint16(0xaaaa))
	f.Add("a", "b", "c", "d", int64(-62135596800), 0.25, uint8(12), uint16(0xffff))
	f.Add(`HKLM\a`, "b", "c", "d", int64(0), 0.0, uint8(8), uint16(0x5555))
	f.Add("d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709", "", "d", int64(1), 1e-7, uint8(2), uint16(0xfff7))
	for kind := range uint8(30) {
		f.Add("http://a.example/", "b", "c", "d", int64(1772323200), 5.0, kind, uint16(0xffff))
		f.Add("Global\\a", "b\n", "c", "d", int64(1772323200), 5.0, kind, uint16(0x1230))
	}
	f.Fuzz(func(t *testing.T, value, words, xid, tag string, unix int64, rating float64, kind uint8, set uint16) {
		if xid == "not known" {
			return // this xid must stay unknown
		}
		is := func(bit int) bool { return set>>bit&1 != 0 }
		at := time.Unix(unix, 999).In(time.FixedZone("", 3600))
		want := object{}
		var dates [5]time.Time
		for n, key := range [5]string{"firstSeen", "lastSeen", "externalDateAdded", "externalDateExpires", "externalLastModified"} {
			if is(3 + n) {
				dates[n] = at.AddDate(0, 0, n)
				want.time(key, dates[n])
			}
		}
		var attributes []tc.Attribute
		var tags []tc.Tag
		var labels []tc.SecurityLabel
		if is(0) {
			attributes = []tc.Attribute{
				{Type: "Description", Value: words, Displayed: new(is(1)), Pinned: new(is(2)), Source: tag, SecurityLabels: []tc.SecurityLabel{{Name: tag}}},
				{Type: tag, Value: value, Displayed: new(true)},
			}
			tags, labels = []tc.Tag{{Name: tag, Description: words}, {Name: "second"}}, []tc.SecurityLabel{{Name: tag, Description: words, Color: "ff00aa"}}
			first := object{"type": "Description", "value": words, "displayed": is(1), "pinned": is(2)}
			first.text("source", tag)
			first.list("securityLabel", object{"name": tag})
			want.list("attribute", first, object{"type": tag, "value": value})
			name, _ := canon.Tag(tag)
			want.list("tag", object{"name": name}, object{"name": "second"})
			label := object{"name": tag, "color": "ff00aa"}
			label.text("description", words)
			want.list("securityLabel", label)
		}
		var link object
		var item tc.BatchItem
		switch {
		case kind < 13:
			ind, summary, _ := indicatorOf(kind, value, words, tag) // Add rejects invalid values
			item = ind
			m := ind.Meta()
			m.Rating, m.Confidence, m.XID, m.GroupXIDs = &rating, new(int(set%101)), words, []string{xid, "not known"}
			m.FirstSeen, m.LastSeen, m.ExternalDateAdded, m.ExternalDateExpires, m.ExternalLastModified = dates[0], dates[1], dates[2], dates[3], dates[4]
			want["type"], want["rating"], want["confidence"] = string(ind.Type()), json.Number(strconv.FormatFloat(rating, 'f', -1, 64)), json.Number(strconv.Itoa(int(set%101)))
			if custom, ok := ind.(*tc.CustomIndicator); ok && strings.Contains(summary, " : ") {
				for n, v := range custom.Values {
					want.text("value"+strconv.Itoa(n+1), v)
				}
			} else {
				want["summary"] = summary
			}
			m.Attributes, m.Tags, m.SecurityLabels = attributes, tags, labels
			if is(8) {
				m.Active, m.ActiveLocked, m.Private, m.Description = new(is(9)), new(is(10)), new(is(11)), value
				want["active"], want["activeLocked"], want["privateFlag"] = is(9), is(10), is(11)
				want.text("description", value)
			}
			if h, ok := ind.(*tc.Host); ok && is(12) {
				h.DNSActive, h.WhoisActive = new(is(9)), new(is(10))
				want["flag1"], want["flag2"] = is(9), is(10)
			}
			if f, ok := ind.(*tc.File); ok && is(12) {
				f.Size, f.Occurrences = &unix, []tc.FileOccurrence{{FileName: words}, {Path: value, Date: at}}
				size := json.Number(strconv.FormatInt(unix, 10))
				second := object{}
				second.text("path", value)
				second.time("date", at)
				want["size"], want["intValue1"] = size, size
				want.list("fileOccurrence", object{"fileName": words}, second)
			}
			want.text("xid", words)
			want.list("associatedGroups", object{"groupXid": xid})
			link = object{"type_1": string(ind.Type()), "ref_1": summary, "ref_2": "not known"}
		case kind < 29:
			g := everyGroup()[kind-13]
			item = g
			m := g.Meta()
			m.Name, m.XID, m.GroupXIDs = value, words, []string{xid, "not known"}
			m.FirstSeen, m.LastSeen, m.ExternalDateAdded, m.ExternalDateExpires, m.ExternalLastModified = dates[0], dates[1], dates[2], dates[3], dates[4]
			name, _ := canon.GroupName(value)
			want["name"], want["type"], want["xid"] = name, string(g.Type()), words
			m.Attributes, m.Tags, m.SecurityLabels = attributes, tags, labels
			ofType(want, g, value, words, tag, at, is(12))
			want["associatedGroupXid"] = []any{xid}
			link = object{"ref_1": words, "ref_2": "not known"}
		default:
			item = &tc.Association{From: tc.AssociationEnd{Indicator: tc.TypeMutex, Summary: value}, To: tc.AssociationEnd{GroupXID: xid, GroupType: tc.GroupThreat}}
			want = object{"type_1": "Mutex", "ref_1": value, "type_2": "Threat", "ref_2": xid}
		}
		cfg := appendConfig()
		cfg.KnownGroup = knows(xid)
		file, err := encode(t, cfg, item)
		if err != nil {
			require.ErrorIs(t, err, tc.ErrValidation)
			return
		}
		var got []any
		for _, text := range slices.Concat(file.Group, file.Indicator, file.Association) {
			got = append(got, members(t, string(text)))
		}
		wanted := []any{map[string]any(want)}
		if link != nil {
			wanted = append(wanted, map[string]any(link))
		}
		assert.Equal(t, wanted, got)
	})
}

// ofType sets the fields that only one type of group has, in g and in want.
func ofType(want object, g tc.Group, value, words, tag string, at time.Time, all bool) {
	summary := func(s *tc.AISummary) {
		*s = tc.AISummary{Insights: words, AIProvider: tag, AILastRetrieval: at}
		want.text("insights", words)
		want.text("aiProvider", tag)
		want.time("aiLastRetrievalDate", at)
	}
	switch g := g.(type) {
	case *tc.Document:
		want["fileName"] = g.FileName
		if all {
			g.Malware, g.Password = new(true), words
			want["malware"], want["password"] = true, words
			summary(&g.AISummary)
		}
	case *tc.Email:
		g.Subject, g.Header, g.Body = value, words, tag
		want["subject"], want["header"], want["body"] = value, words, tag
		if all {
			g.From, g.To = words, value
			want["from"], want["to"] = words, value
		}
	case *tc.Event:
		g.EventDate = at
		want.time("eventDate", at)
		if all {
			g.Status, g.EventType = tc.EventCompleted, words
			want["status"] = "Completed"
			want.text("eventType", words)
			summary(&g.AISummary)
		}
	case *tc.Incident:
		g.EventDate = at
		want.time("eventDate", at)
		if all {
			g.Status = tc.IncidentClosed
			want["status"] = "Closed"
		}
	case *tc.Report:
		want["fileName"] = g.FileName
		if all {
			g.PublishDate = at
			want.time("publishDate", at)
			summary(&g.AISummary)
		}
	case *tc.Signature:
		g.FileName, g.FileText = value, words
		want["fileName"], want["fileType"], want["fileText"] = value, string(g.FileType), words
	}
}

func TestBlankCustomIndicatorIsRejected(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"", " ", "\u00a0"} {
		_, err := encode(t, appendConfig(), tc.NewCustomIndicator("Wallet", value))
		assert.ErrorIs(t, err, tc.ErrValidation)
	}
}

func TestInvalidUTF8ErrorNamesField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*tc.IndicatorMeta)
		field  string
	}{
		"the attribute":            {func(m *tc.IndicatorMeta) { m.Attributes[0].Value = "\xff" }, "attribute"},
		"the type of an attribute": {func(m *tc.IndicatorMeta) { m.Attributes[0].Type = "\xff" }, "attribute type"},
		"the description":          {func(m *tc.IndicatorMeta) { m.Description = "\xff" }, "batch item"},
		"the tag":                  {func(m *tc.IndicatorMeta) { m.Tags[0].Name = "\xff" }, "tag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := tc.NewHost("node-1.feed.example")
			h.Attributes, h.Tags = []tc.Attribute{{Type: "Description", Value: "text"}}, []tc.Tag{{Name: "tag"}}
			c.change(h.Meta())
			_, err := encode(t, appendConfig(), h)
			var invalid *tc.ValidationError
			require.ErrorAs(t, err, &invalid)
			assert.Equal(t, c.field, invalid.Field)
		})
	}
}
