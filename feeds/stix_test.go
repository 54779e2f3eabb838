package feeds

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func stixID(typ string, n int) string {
	return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n)
}

// bundleOf returns a bundle with one object per line, starting at line 2.
func bundleOf(objects ...string) string {
	return `{"type":"bundle","id":"bundle--1","objects":[` + "\n" + strings.Join(objects, ",\n") + "\n]}"
}

func stixText(typ string, n int, rest string) string {
	return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-02T03:04:05.678Z","modified":"2026-01-03T03:04:05Z"%s}`, typ, stixID(typ, n), rest)
}

func relationship(n int, source, target string) string {
	return stixText("relationship", n, fmt.Sprintf(`,"relationship_type":"uses","source_ref":%q,"target_ref":%q`, source, target))
}

// readable returns an xid with its parts as plain text.
func readable(parts ...string) string { return strings.Join(parts, "/") }

// readSTIX returns the entries and line errors of a feed, and the error that ended it. It fails the test if a
// temporary file is left.
func readSTIX(t testing.TB, in io.Reader) (found []Entry, refused []*LineError, err error) {
	t.Helper()
	dir := t.TempDir()
	for e, err := range stix(bufio.NewReader(in), readable, dir) {
		if b, ok := errors.AsType[*LineError](err); ok {
			refused = append(refused, b)
			continue
		}
		if err != nil {
			requireEmpty(t, dir)
			return found, refused, err
		}
		found = append(found, e)
	}
	requireEmpty(t, dir)
	return found, refused, nil
}

func requireEmpty(t testing.TB, dir string) {
	t.Helper()
	files, _ := tempFiles(t, dir)
	require.Zero(t, files, "temporary files")
}

// tempFiles returns the number and the total size of the temporary files in dir, including, on Linux, open files
// without a name.
func tempFiles(t testing.TB, dir string) (n int, size int64) {
	t.Helper()
	named, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range append(named, open...) {
		target, _ := os.Readlink(name)
		if strings.HasPrefix(target, dir+"/") || filepath.Dir(name) == dir {
			if info, err := os.Stat(name); err == nil {
				n, size = n+1, size+info.Size()
			}
		}
	}
	return n, size
}

func mustReadSTIX(t testing.TB, text string) (found []Entry, refused []*LineError) {
	t.Helper()
	found, refused, err := readSTIX(t, strings.NewReader(text))
	require.NoError(t, err)
	return found, refused
}

// stixRules returns the line and rule of each error. Those of skipped objects begin with a plus sign.
func stixRules(refused []*LineError) []string {
	out := []string{}
	for _, b := range refused {
		rule := fmt.Sprintf("%d %s", b.Line, b.Rule)
		if b.Skipped {
			rule = "+" + rule
		}
		out = append(out, rule)
	}
	return out
}

func TestSTIXObjectsBecomeGroupsAndIndicators(t *testing.T) {
	t.Parallel()
	found, refused := mustReadSTIX(t, bundleOf(
		relationship(1, stixID("indicator", 1), stixID("malware", 1)), // before the objects that it relates
		stixText("indicator", 1, `,"name":"n","description":"seen twice","pattern":"[domain-name:value='a.example.com' OR domain-name:value='b.example.com']","pattern_type":"stix","indicator_types":["malicious-activity","unknown"],"labels":["one","one",""],"kill_chain_phases":[{"kill_chain_name":"k","phase_name":"initial-access"}],"confidence":70,"valid_until":"2026-06-01T00:00:00Z","external_references":[{"source_name":"x"},{"source_name":"x","url":" "},{"source_name":"y","url":"https://feed.example/1"},{"url":"https://feed.example/2"}],"object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"]`),
		stixText("malware", 1, `,"name":"Example","is_family":true`),
		stixText("campaign", 1, `,"name":"Campaign","first_seen":"2026-01-01T00:00:00Z","last_seen":"2026-01-01T01:00:00+01:00"`),
		stixText("threat-actor", 1, `,"name":"Actor"`),
		stixText("intrusion-set", 1, `,"name":"Set"`),
		stixText("attack-pattern", 1, `,"name":"Pattern"`),
		stixText("report", 1, fmt.Sprintf(`,"name":"Report","published":"2026-01-01T00:00:00Z","object_refs":[%q,%q,%q]`, stixID("malware", 1), stixID("indicator", 1), stixID("relationship", 9))),
		stixText("tool", 1, `,"name":"Tool"`),
		stixText("vulnerability", 1, `,"name":"CVE-2026-0001"`),
		stixText("course-of-action", 1, `,"name":"Patch"`),
		stixText("x-mitre-tactic", 1, `,"name":"Tactic"`),
		stixText("identity", 1, `,"name":"Somebody"`),
		relationship(2, stixID("campaign", 1), stixID("malware", 1)),
		relationship(3, stixID("campaign", 1), stixID("malware", 1)),
		relationship(4, stixID("campaign", 1), stixID("identity", 1)),
		relationship(5, stixID("malware", 1), stixID("indicator", 1)),
		relationship(6, stixID("malware", 1), stixID("malware", 1)),
	))
	assert.Empty(t, refused)
	assert.Equal(t, []string{
		"4 Malware Example", "5 Campaign Campaign", "6 Adversary Actor", "7 Intrusion Set Set", "8 Attack Pattern Pattern", "9 Report Report",
		"10 Tool Tool", "11 Vulnerability CVE-2026-0001", "12 Course of Action Patch", "13 Tactic Tactic", "3 Host a.example.com", "3 Host b.example.com",
	}, shown(found))

	malware, report := "stix/"+stixID("malware", 1), "stix/"+stixID("report", 1)
	assert.Equal(t, stixID("malware", 1), found[0].Object)
	assert.Equal(t, malware, groupIn(found[0]).Meta().XID)
	assert.Empty(t, groupIn(found[0]).Meta().GroupXIDs, "no association with itself or with an indicator")
	assert.Equal(t, []string{malware}, groupIn(found[1]).Meta().GroupXIDs, "associated once")
	assert.Equal(t, []string{malware}, groupIn(found[5]).Meta().GroupXIDs)
	newYear := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	assert.Equal(t, newYear, groupIn(found[1]).Meta().FirstSeen)
	assert.Equal(t, newYear, groupIn(found[1]).Meta().LastSeen)
	assert.Equal(t, newYear, found[5].Item.(*threatconnect.Report).PublishDate)
	assert.Equal(t, stixID("report", 1)+".json", found[5].Item.(*threatconnect.Report).FileName)

	for _, e := range found[10:] {
		assert.Equal(t, stixID("indicator", 1), e.Object)
		m := indicatorIn(e).Meta()
		assert.Equal(t, []string{malware, report}, m.GroupXIDs)
		assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "malicious-activity"}, {Name: "initial access"}}, m.Tags)
		require.Len(t, m.Attributes, 2)
		assert.Equal(t, "seen twice", m.Attributes[0].Value)
		assert.Equal(t, "https://feed.example/1", m.Attributes[1].Value)
		require.Len(t, m.SecurityLabels, 1)
		assert.Equal(t, "TLP:AMBER", m.SecurityLabels[0].Name)
		assert.Equal(t, 70, *m.Confidence)
		assert.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), m.ExternalDateExpires)
		assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC), m.ExternalDateAdded)
		assert.Equal(t, time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC), m.ExternalLastModified)
	}
	indicatorIn(found[10]).Meta().Tags[0].Name = "changed"
	assert.Equal(t, "one", indicatorIn(found[11]).Meta().Tags[0].Name, "entries share no memory")
}

func TestSTIXReportsSkippedAndInvalidObjects(t *testing.T) {
	t.Parallel()
	indicator := func(n int, rest string) string {
		return stixText("indicator", n, `,"pattern":"[domain-name:value='a.example.com']"`+rest)
	}
	found, refused := mustReadSTIX(t, bundleOf(
		stixText("indicator", 1, `,"pattern":"[file:path='/x']","pattern_type":"stix"`),
		stixText("indicator", 2, `,"pattern":"rule x {}","pattern_type":"yara"`),
		indicator(3, `,"revoked":true`),
		stixText("malware", 1, `,"name":"Old","revoked":true`),
		stixText("malware", 2, `,"name":""`),
		stixText("observed-data", 1, `,"object_refs":["x"],"labels":7`),
		relationship(1, stixID("malware", 1), stixID("malware", 9)),
		relationship(2, stixID("indicator", 1), stixID("malware", 1)),
		stixText("report", 1, fmt.Sprintf(`,"name":"Report","object_refs":[%q,%q,%q]`, stixID("malware", 2), stixID("malware", 8), stixID("malware", 9))),
		`{"type":"malware","id":5}`,
		`7`,
		indicator(4, `,"labels":["`+strings.Repeat("l", 129)+`"]`),
		indicator(5, `,"confidence":101`),
		indicator(6, `,"labels":["x",{"secret":1}]`),
		indicator(7, `,"external_references":[{"url":7}]`),
		indicator(8, `,"valid_until":"secret"`),
		indicator(9, `,"id":"indicator--secret"`),
		indicator(10, `,"description":"`+strings.Repeat("secret", maxObject/6)+`"`),
		indicator(11, `,"description":"secret`+"\xff"+`"`),
		indicator(12, `,"description":"secret \\ud83d \ud83d\ude00 \ud83d"`),
		indicator(13, `,"description":" "`),
		stixText("report", 2, `,"name":"Report","object_refs":["x",7]`),
		stixText("report", 3, `,"name":"Report","object_refs":["`+strings.Repeat("secret", maxWord)+`"]`),
		stixText("report", 4, `,"name":"Report","object_refs":"secret"`),
		stixText("report", 5, `,"name":"Report","published":"2026"`),
		stixText("relationship", 3, `,"source_ref":"malware--1"`),
		`{"id":"malware--1","name":"x"}`,
		`{"type":"malware","name":"x"}`,
		`{"type":"malware","name":"x","id":"`+strings.Repeat("secret", 100)+`"}`,
		`{"type":"malware","name":"x","id":"\u0001"}`,
		indicator(14, `,"valid_until":"9999-12-31T23:59:59-12:00"`),
	))
	assert.Equal(t, []string{"10 Report Report", "22 Host a.example.com"}, shown(found), "a blank description is ignored")
	assert.Empty(t, groupIn(found[0]).Meta().GroupXIDs, "a group that is left out is not associated")
	assert.Equal(t, []string{
		"+4 is revoked", "+5 is revoked", "6 group name is blank", "+7 is of a type that is not imported",
		"+8 relates objects that the feed does not have",
		"+10 refers to objects that the feed does not have",
		"11 has no type or no id", "12 is not a STIX object", "13 tag is longer than 128 characters",
		"15 labels has another JSON type than STIX requires",
		"16 external_references.url has another JSON type than STIX requires",
		"17 valid_until is not a date and time as in 2026-01-02T03:04:05Z",
		"18 has a member twice", "19 has more than 1048576 bytes of text, or a list of more than 10000 elements", "20 has text that is not valid Unicode",
		"21 has text that is not valid Unicode",
		"23 object_refs has an element that is not an id", "24 object_refs has an element that is not an id",
		"25 object_refs has another JSON type than STIX requires",
		"26 published is not a date and time as in 2026-01-02T03:04:05Z",
		"27 has no source_ref or no target_ref", "28 has no type or no id", "29 has no type or no id", "30 has no type or no id",
		"31 group xid holds a control character", "32 valid_until is not a date and time as in 2026-01-02T03:04:05Z",
		"+2 has a pattern on file:path, which is not supported: it has no indicator type",
		"+3 has a pattern in a language other than STIX", "14 confidence must be 0 to 100",
	}, stixRules(refused))
	assert.Equal(t, stixID("indicator", 3), refused[0].Object)
	assert.Equal(t, stixID("relationship", 1), refused[4].Object)
	assert.Equal(t, stixID("indicator", 1), refused[26].Object)
	for _, e := range refused {
		assert.NotContains(t, e.Error(), "secret")
	}
}

func TestSTIXUsesNewestObjectVersion(t *testing.T) {
	t.Parallel()
	version := func(date, name, rest string) string {
		return `{"type":"malware","id":"` + stixID("malware", 1) + `","name":"` + name + `","modified":"` + date + `"` + rest + `}`
	}
	older, newer := version("2026-01-01T00:00:00.001Z", "Old", ""), version("2026-01-01T00:00:00.002Z", "New", "")
	for text, want := range map[string]string{
		bundleOf(older, newer):                                     "3 Malware New",
		bundleOf(newer, older):                                     "2 Malware New",
		bundleOf(older, newer, older):                              "3 Malware New",
		bundleOf(newer) + bundleOf(older):                          "2 Malware New",
		bundleOf(newer, version("", "Old", "")):                    "2 Malware New",
		bundleOf(newer, strings.ReplaceAll(newer, "New", "Equal")): "2 Malware New",
	} {
		found, refused := mustReadSTIX(t, text)
		assert.Empty(t, refused)
		assert.Equal(t, []string{want}, shown(found))
	}

	gone := version("2026-02-01T00:00:00Z", "Gone", `,"revoked":true`)
	related := relationship(1, stixID("campaign", 1), stixID("malware", 1))
	campaign := stixText("campaign", 1, `,"name":"Campaign"`)
	found, refused := mustReadSTIX(t, bundleOf(gone, older, campaign, related))
	assert.Equal(t, []string{"+2 is revoked"}, stixRules(refused))
	require.Equal(t, []string{"4 Campaign Campaign"}, shown(found))
	assert.Empty(t, groupIn(found[0]).Meta().GroupXIDs)

	revoked := strings.Replace(related, "2026-01-03T03:04:05Z", `2026-01-04T03:04:05Z","revoked":true,"x":"`, 1)
	found, refused = mustReadSTIX(t, bundleOf(older, campaign, related, revoked))
	assert.Empty(t, refused)
	assert.Empty(t, groupIn(found[1]).Meta().GroupXIDs, "the relationship is revoked")

	report := func(date, ref string) string {
		return fmt.Sprintf(`{"object_refs":[%q],"type":"report","id":%q,"name":"Report","modified":%q}`, ref, stixID("report", 1), date)
	}
	found, refused = mustReadSTIX(t, bundleOf(older, campaign, report("2026-01-02T00:00:00Z", stixID("campaign", 1)), report("2026-01-01T00:00:00Z", stixID("malware", 1)), report("2025-01-01T00:00:00Z", "nothing")))
	assert.Empty(t, refused)
	assert.Equal(t, []string{"stix/" + stixID("campaign", 1)}, groupIn(found[2]).Meta().GroupXIDs, "the references of the newest version")
}

func TestSTIXMarkingsBecomeSecurityLabels(t *testing.T) {
	t.Parallel()
	found, refused := mustReadSTIX(t, bundleOf(
		stixText("malware", 1, `,"name":"A","object_marking_refs":["`+stixID("marking-definition", 1)+`","`+stixID("marking-definition", 2)+`","`+stixID("marking-definition", 3)+`","`+stixID("marking-definition", 4)+`"]`),
		stixText("marking-definition", 1, `,"definition_type":"tlp","definition":{"tlp":"green"}`),
		stixText("marking-definition", 2, `,"name":"TLP:AMBER+STRICT"`),
		stixText("marking-definition", 3, `,"definition_type":"statement","definition":{"statement":"x"}`),
		stixText("marking-definition", 4, `,"name":"TLP:GREEN"`),
	))
	assert.Empty(t, refused)
	require.Len(t, found, 1)
	var names []string
	for _, l := range groupIn(found[0]).Meta().SecurityLabels {
		names = append(names, l.Name)
		assert.NotEmpty(t, l.Description)
		assert.Len(t, l.Color, 6)
	}
	assert.Equal(t, []string{"TLP:GREEN", "TLP:AMBER+STRICT"}, names)
}

func TestSTIXATTACKTechniquesBecomeTags(t *testing.T) {
	t.Parallel()
	technique := func(id, phases string) string {
		return stixText("attack-pattern", 1, `,"name":"Spearphishing Link","external_references":[{"source_name":"x","external_id":"T9"},{"source_name":"mitre-attack","external_id":"`+id+`"}],"kill_chain_phases":[`+phases+`]`)
	}
	const access, other = `{"kill_chain_name":"mitre-attack","phase_name":"initial-access"}`, `{"kill_chain_name":"other","phase_name":"use-it"}`
	const persistence, reconnaissance = `{"kill_chain_name":"mitre-attack","phase_name":"persistence"}`, `{"kill_chain_name":"mitre-attack","phase_name":"reconnaissance"}`
	const mobile = `{"kill_chain_name":"mitre-mobile-attack","phase_name":"initial-access"}`
	for text, want := range map[string][]string{
		technique("T1566.002", access+","+persistence):                           {"T1566.002 - Spearphishing Link - INI - ENT - ATT&CK", "T1566.002 - Spearphishing Link - PER - ENT - ATT&CK"},
		technique("T1566", access+","+other):                                     {"use it", "T1566 - Spearphishing Link - INI - ENT - ATT&CK"},
		technique("T1566", reconnaissance):                                       {"reconnaissance"}, // a tactic without an abbreviation
		technique("X1", access):                                                  {"initial access"},
		technique("T1566", mobile):                                               {"initial access"}, // of another matrix
		strings.ReplaceAll(technique("T1566", access), "attack-pattern", "tool"): {"initial access"},
	} {
		found, refused := mustReadSTIX(t, bundleOf(text))
		assert.Empty(t, refused)
		require.Len(t, found, 1)
		var tags []string
		for _, tag := range groupIn(found[0]).Meta().Tags {
			tags = append(tags, tag.Name)
		}
		assert.Equal(t, want, tags)
	}
}

func TestSTIXLongNamesAreShortened(t *testing.T) {
	t.Parallel()
	title := strings.Repeat("ä", 101)
	for rest, want := range map[string]string{`,"description":"about"`: title + "\n\nabout", ``: title} {
		found, refused := mustReadSTIX(t, bundleOf(stixText("campaign", 1, `,"name":" `+title+`"`+rest)))
		assert.Empty(t, refused)
		require.Len(t, found, 1)
		m := groupIn(found[0]).Meta()
		assert.Equal(t, strings.Repeat("ä", 99)+"…", m.Name)
		require.Len(t, m.Attributes, 1)
		assert.Equal(t, want, m.Attributes[0].Value)
	}
}

func TestSTIXIgnoresUnknownFields(t *testing.T) {
	t.Parallel()
	text := `{"x":[{"objects":[7],"type":"note"},-1.5e+3,true,null,"\"\\\u0022"],"objects":[{"x":{"id":7,"type":[[]]},"\u0074ype":"malware","id":"` +
		stixID("malware", 1) + "\",\t\"name\" : \"A \\\"B\\\"\",\"description\":\"\\\\ud83d \\ud83d\\ude00\",\"labels\" :[ \"one\" , \"t\\u0077o\" ],\"" + strings.Repeat("k", 2*maxWord) + `":"x"}],"type":"b\u0075ndle"}`
	found, refused := mustReadSTIX(t, text)
	assert.Empty(t, refused)
	require.Equal(t, []string{`1 Malware A "B"`}, shown(found))
	assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "two"}}, groupIn(found[0]).Meta().Tags)
	assert.Equal(t, `\ud83d 😀`, groupIn(found[0]).Meta().Attributes[0].Value)
}

func FuzzSTIX(f *testing.F) {
	f.Add(bundleOf(stixText("malware", 1, `,"name":"A"`), relationship(1, stixID("malware", 1), stixID("malware", 1))))
	f.Add(bundleOf(stixText("indicator", 1, `,"pattern":"[domain-name:value='a.example.com']"`), `{}`, `[]`))
	f.Add(`{"objects":`)
	f.Add(`{"type":"bundle","objects":[{"type":"malware","id":"1","name":"A"}]}` + "\n" + `{"type":"bundle"} x`)
	f.Add(`{"more":true,"objects":[{"type":"report","id":"2","name":"x","object_refs":["a\u0041"]}]} {"objects":[]}`)
	f.Add(bundleOf(stixText("indicator", 1, `,"pattern":"[url:value='http://needle/' OR x-y:needle='x']","labels":["needle"]`), stixText("relationship", 2, `,"source_ref":"needle","target_ref":"x"`)))
	f.Fuzz(func(t *testing.T, s string) {
		found, refused, err := readSTIX(t, strings.NewReader(s))
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			assert.NotContains(t, err.Error(), "needle")
			assert.Empty(t, found)
			assert.Empty(t, refused)
			broken := strings.Contains(err.Error(), "invalid JSON") || strings.Contains(err.Error(), "is cut")
			assert.False(t, broken && len(s) < maxScalar && isJSON(s))
			return
		}
		assert.True(t, isJSON(s))
		lines := strings.Count(s, "\n") + 1
		checkItems(t, FormatSTIX, found)
		xids := map[string]bool{}
		for _, e := range found {
			assert.True(t, e.Line >= 1 && e.Line <= lines)
			if g := groupIn(e); g != nil {
				assert.False(t, xids[g.Meta().XID], "one group for each xid")
				xids[g.Meta().XID] = true
			}
		}
		for _, e := range refused {
			assert.True(t, e.Line >= 1 && e.Line <= lines)
			assert.NotEmpty(t, e.Rule)
			assert.NotContains(t, e.Error(), "needle")
		}
	})
}

// isJSON reports whether s is a sequence of JSON values.
func isJSON(s string) bool {
	d := json.NewDecoder(strings.NewReader(s))
	for {
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err == io.EOF
		}
	}
}
