package feeds

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// id makes a STIX id.
func id(typ string, n int) string { return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n) }

// bundleOf writes a bundle with one object a line, from line 2 on.
func bundleOf(objects ...string) string {
	return `{"type":"bundle","id":"bundle--1","objects":[` + "\n" + strings.Join(objects, ",\n") + "\n]}"
}

func object21(typ string, n int, rest string) string {
	return fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-02T03:04:05.678Z","modified":"2026-01-03T03:04:05Z"%s}`, typ, id(typ, n), rest)
}

func relationship(n int, source, target string) string {
	return object21("relationship", n, fmt.Sprintf(`,"relationship_type":"uses","source_ref":%q,"target_ref":%q`, source, target))
}

func TestABundleBecomesGroupsAndIndicators(t *testing.T) {
	t.Parallel()
	found, bad := read(t, STIX, bundleOf(
		relationship(1, id("indicator", 1), id("malware", 1)), // stands before what it relates
		object21("indicator", 1, `,"name":"n","description":"seen twice","pattern":"[domain-name:value='a.example' OR domain-name:value='b.example']","pattern_type":"stix","indicator_types":["malicious-activity","unknown"],"labels":["one"],"kill_chain_phases":[{"kill_chain_name":"k","phase_name":"initial-access"}],"confidence":70,"valid_until":"2026-06-01T00:00:00Z","external_references":[{"source_name":"x"},{"source_name":"y","url":"https://feed.example/1"}],"object_marking_refs":["marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"]`),
		object21("malware", 1, `,"name":"Example","is_family":true`),
		object21("campaign", 1, `,"name":"Campaign","first_seen":"2026-01-01T00:00:00Z"`),
		object21("threat-actor", 1, `,"name":"Actor"`),
		object21("intrusion-set", 1, `,"name":"Set"`),
		object21("attack-pattern", 1, `,"name":"Pattern"`),
		object21("report", 1, fmt.Sprintf(`,"name":"Report","published":"2026-01-01T00:00:00Z","object_refs":[%q,%q,%q]`, id("malware", 1), id("indicator", 1), id("relationship", 9))),
		object21("tool", 1, `,"name":"Tool"`),
		object21("vulnerability", 1, `,"name":"CVE-2026-0001"`),
		object21("course-of-action", 1, `,"name":"Patch"`),
		object21("x-mitre-tactic", 1, `,"name":"Tactic"`),
		object21("identity", 1, `,"name":"Somebody"`),
		relationship(2, id("campaign", 1), id("malware", 1)),
		relationship(3, id("campaign", 1), id("malware", 1)),
		relationship(4, id("campaign", 1), id("identity", 1)),
		relationship(5, id("malware", 1), id("indicator", 1)),
	))
	assert.Empty(t, bad)
	assert.Equal(t, []string{
		"4 Malware Example", "5 Campaign Campaign", "6 Adversary Actor", "7 Intrusion Set Set", "8 Attack Pattern Pattern", "9 Report Report",
		"10 Tool Tool", "11 Vulnerability CVE-2026-0001", "12 Course of Action Patch", "13 Tactic Tactic", "3 Host a.example", "3 Host b.example",
	}, shown(found))

	malware, report := "stix/"+id("malware", 1), "stix/"+id("report", 1)
	assert.Equal(t, malware, found[0].Group.Meta().XID)
	assert.Equal(t, []string{malware}, found[1].Group.Meta().GroupXIDs, "associated once")
	assert.Equal(t, []string{malware}, found[5].Group.Meta().GroupXIDs)
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), found[1].Group.Meta().FirstSeen)
	assert.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), found[5].Group.(*threatconnect.Report).PublishDate)

	for _, e := range found[10:] {
		m := e.Indicator.Meta()
		assert.Equal(t, []string{malware, report}, m.GroupXIDs)
		assert.Equal(t, []threatconnect.Tag{{Name: "one"}, {Name: "malicious-activity"}, {Name: "initial access"}}, m.Tags)
		assert.Equal(t, "seen twice", m.Attributes[0].Value)
		assert.Equal(t, "https://feed.example/1", m.Attributes[1].Value)
		assert.Equal(t, "TLP:AMBER", m.SecurityLabels[0].Name)
		assert.Equal(t, 70, *m.Confidence)
		assert.Equal(t, time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), m.ExternalDateExpires)
		assert.Equal(t, time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC), m.ExternalLastModified)
	}
}

func TestABundleReportsWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	found, bad := read(t, STIX, bundleOf(
		object21("indicator", 1, `,"pattern":"[file:path='/x']","pattern_type":"stix"`),
		object21("indicator", 2, `,"pattern":"rule x {}","pattern_type":"yara"`),
		object21("indicator", 3, `,"pattern":"[domain-name:value='a.example']","revoked":true`),
		object21("malware", 1, `,"name":"Old","revoked":true`),
		object21("malware", 2, `,"name":""`),
		object21("observed-data", 1, ``),
		relationship(1, id("malware", 1), id("malware", 9)),
		relationship(2, id("indicator", 1), id("malware", 1)),
		object21("report", 1, fmt.Sprintf(`,"name":"Report","object_refs":[%q,%q]`, id("malware", 8), id("malware", 9))),
		`{"type":"malware","id":5}`,
		`7`,
		object21("indicator", 4, `,"pattern":"[domain-name:value='a.example']","labels":["`+strings.Repeat("l", 129)+`"]`),
	))
	assert.Equal(t, []string{"10 Report Report"}, shown(found))
	assert.Equal(t, []string{
		"11 is no STIX object, or has a field of another type than STIX says",
		"12 is no STIX object, or has a field of another type than STIX says",
		"8 relates something that the bundle does not hold",
		"10 refers to objects that the bundle does not hold",
		"6 group name is blank",
		"2 has a pattern on file:path, which is not supported: no indicator type stands for it",
		"3 has a pattern of another language than STIX",
		"4 is revoked", "5 is revoked", "7 is of a type that is not imported",
		"13 tag is longer than 128 characters",
	}, rules(bad))
	var skipped []int
	for _, b := range bad {
		if b.Skip {
			skipped = append(skipped, b.Line)
		}
	}
	assert.Equal(t, []int{4, 5, 7}, skipped)
	assert.Equal(t, id("indicator", 1), bad[5].Object)
}

func TestTheNewestVersionOfAnObjectCounts(t *testing.T) {
	t.Parallel()
	older := `{"type":"malware","id":"` + id("malware", 1) + `","name":"Old","modified":"2026-01-01T00:00:00Z"}`
	newer := `{"type":"malware","id":"` + id("malware", 1) + `","name":"New","modified":"2026-02-01T00:00:00Z"}`
	for _, text := range []string{bundleOf(older, newer), bundleOf(newer, older)} {
		found, bad := read(t, STIX, text)
		assert.Empty(t, bad)
		require.Len(t, found, 1)
		assert.Equal(t, "New", found[0].Group.Meta().Name)
	}
}

func TestMarkingsOfTheBundleAreLabels(t *testing.T) {
	t.Parallel()
	found, _ := read(t, STIX, bundleOf(
		object21("malware", 1, `,"name":"A","object_marking_refs":["`+id("marking-definition", 1)+`","`+id("marking-definition", 2)+`","`+id("marking-definition", 3)+`"]`),
		object21("marking-definition", 1, `,"definition_type":"tlp","definition":{"tlp":"green"}`),
		object21("marking-definition", 2, `,"name":"TLP:AMBER+STRICT"`),
		object21("marking-definition", 3, `,"definition_type":"statement","definition":{"statement":"x"}`),
	))
	require.Len(t, found, 1)
	var names []string
	for _, l := range found[0].Group.Meta().SecurityLabels {
		names = append(names, l.Name)
		assert.NotEmpty(t, l.Description)
		assert.Len(t, l.Color, 6)
	}
	assert.Equal(t, []string{"TLP:GREEN", "TLP:AMBER+STRICT"}, names)
}

func TestALongTitleGoesIntoTheDescription(t *testing.T) {
	t.Parallel()
	title := strings.Repeat("ä", 101)
	found, bad := read(t, STIX, bundleOf(object21("campaign", 1, `,"name":"`+title+`","description":"about"`)))
	assert.Empty(t, bad)
	require.Len(t, found, 1)
	m := found[0].Group.Meta()
	assert.Equal(t, strings.Repeat("ä", 99)+"…", m.Name)
	require.Len(t, m.Attributes, 1)
	assert.Equal(t, title+"\n\nabout", m.Attributes[0].Value)
}

func TestABundleThatIsBrokenBringsNothing(t *testing.T) {
	t.Parallel()
	whole := bundleOf(object21("malware", 1, `,"name":"A"`), object21("malware", 2, `,"name":"B"`))
	for name, c := range map[string]struct{ text, want string }{
		"cut off":                {whole[:len(whole)-4], "ends in the middle, at line 3"},
		"broken":                 {strings.Replace(whole, `"name":"B"`, `"name";"B"`, 1), "broken JSON after line"},
		"of another type":        {`{"type":"note","objects":[]}`, "no STIX bundle"},
		"without a type":         {`{"objects":[]}`, "no STIX bundle"},
		"a type that is no text": {`{"type":1,"objects":[]}`, "no STIX bundle"},
		"no object":              {`[]`, "no STIX bundle"},
		"objects are no array":   {`{"type":"bundle","objects":{}}`, "no STIX bundle"},
		"not JSON":               {`hello`, "broken JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, _, err := readAll(STIX, c.text)
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			assert.Empty(t, found)
		})
	}
	for _, empty := range []string{"", "\n", `{"type":"bundle"}`, `{"type":"bundle","objects":[]}`} {
		found, bad := read(t, STIX, empty)
		assert.Empty(t, found)
		assert.Empty(t, bad)
	}
}

func TestBundlesOneAfterTheOtherAreOneFeed(t *testing.T) {
	t.Parallel()
	first := bundleOf(
		object21("indicator", 1, `,"pattern":"[domain-name:value='a.example']"`),
		object21("malware", 1, `,"name":"Old"`),
	)
	newer := strings.Replace(object21("malware", 1, `,"name":"New"`), "2026-01-03", "2026-01-04", 1)
	second := bundleOf(
		newer,
		relationship(1, id("indicator", 1), id("malware", 1)), // across bundles
		object21("malware", 2, `,"name":""`),
		`7`,
	)
	for name, between := range map[string]string{"nothing": "", "a line end": "\n", "blank lines": "\r\n \t\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, bad := read(t, STIX, first+between+second+"\n"+bundleOf()+between)
			start := 4 + strings.Count(between, "\n") // the line that the second bundle begins on
			assert.Equal(t, []string{fmt.Sprintf("%d Malware New", start+1), "2 Host a.example"}, shown(found))
			assert.Equal(t, []string{"stix/" + id("malware", 1)}, found[1].Indicator.Meta().GroupXIDs)
			assert.Equal(t, []string{
				fmt.Sprintf("%d is no STIX object, or has a field of another type than STIX says", start+4),
				fmt.Sprintf("%d group name is blank", start+3),
			}, rules(bad))
		})
	}
}

func TestWhateverElseFollowsABundleIsAnError(t *testing.T) {
	t.Parallel()
	bundle := bundleOf(object21("indicator", 1, `,"pattern":"[domain-name:value='a.example']"`)) // three lines
	for name, c := range map[string]struct{ text, want string }{
		"a word":                          {"\n\ngarbage\n", "line 5: "},
		"a word on the same line":         {" garbage", "line 3: "},
		"a closing brace":                 {"\n}", "line 4: "},
		"a closing bracket":               {"\n]", "line 4: "},
		"a comma":                         {",\n" + bundle, "line 3: "},
		"an array":                        {"\n[]", "line 4: "},
		"a number":                        {"\n\n7", "line 5: "},
		"null":                            {"\nnull", "line 4: "},
		"a record separator":              {"\n\x1e", "line 4: "},
		"half a byte order mark":          {"\n\xef\xbb", "line 4: "},
		"an object of another type":       {"\n{\"type\":\n\"note\"}", "line 4: "},
		"an object without a type":        {"\n{}", "line 4: "},
		"a bundle without an array":       {"\n" + `{"type":"bundle","objects":7}`, "line 4: "},
		"a bundle that is cut off":        {"\n" + bundle[:len(bundle)-1], "ends in the middle, at line 6"},
		"a bundle of one brace":           {"\n{", "ends in the middle, at line 4"},
		"half a word":                     {"\nnul", "line 4"},
		"a bundle that is broken":         {"\n" + strings.Replace(bundle, "[\n", "[\n;", 1), "broken JSON after line 5"},
		"a word behind the second bundle": {"\n" + bundle + "\nx", "line 7: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, _, err := readAll(STIX, bundle+c.text)
			require.ErrorIs(t, err, ErrFormat)
			assert.ErrorContains(t, err, c.want)
			assert.Empty(t, found)
		})
	}
}

func FuzzSTIX(f *testing.F) {
	f.Add(bundleOf(object21("malware", 1, `,"name":"A"`), relationship(1, id("malware", 1), id("malware", 1))))
	f.Add(bundleOf(object21("indicator", 1, `,"pattern":"[domain-name:value='a.example']"`), `{}`, `[]`))
	f.Add(`{"objects":`)
	f.Add(`{"type":"bundle","objects":[{"type":"malware","name":"A"}]}` + "\n" + `{"type":"bundle"} x`)
	f.Add(`{"type":"bundle","objects":[{"type":"report","name":"x","object_refs":["a"]}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		found, bad, err := readAll(STIX, s)
		if err != nil {
			require.ErrorIs(t, err, ErrFormat)
			assert.Empty(t, found)
			return
		}
		lines := strings.Count(s, "\n") + 1
		for _, e := range found {
			assert.True(t, e.Line >= 1 && e.Line <= lines)
			require.True(t, (e.Indicator == nil) != (e.Group == nil))
		}
		for _, b := range bad {
			assert.True(t, b.Line >= 1 && b.Line <= lines)
		}
	})
}
