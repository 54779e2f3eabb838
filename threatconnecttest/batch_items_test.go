package threatconnecttest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func values(all []AttributeRecord) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.Type+"="+a.Value)
	}
	return out
}

func TestWriteTypes(t *testing.T) {
	t.Parallel()
	item := func(members string) string {
		return `{"indicator":[{"type":"Host","summary":"www.example.com"` + members + `}]}`
	}
	const first = `,"attribute":[{"type":"Description","value":"one","displayed":true},{"type":"Aliases","value":"two"}],"tag":[{"name":"A"}],"securityLabel":[{"name":"TLP:RED"}]`
	const second = `,"attribute":[{"type":"Description","value":"three"}],"tag":[{"name":"B"}],"securityLabel":[{"name":"TLP:GREEN"}]`
	for _, tc := range []struct {
		attributes, tags string
		second           string
		want, wantTags   []string
	}{
		{
			attributes: "Append",
			tags:       "Append",
			second:     second,
			want:       []string{"Description=one", "Aliases=two", "Description=three"},
			wantTags:   []string{"A", "B"},
		},
		{
			attributes: "Append",
			tags:       "Append",
			second:     first,
			want:       []string{"Description=one", "Aliases=two", "Description=one", "Aliases=two"},
			wantTags:   []string{"A"},
		},
		{attributes: "Replace", tags: "Replace", second: second, want: []string{"Description=three"}, wantTags: []string{"B"}},
		{attributes: "Replace", tags: "Replace"},
		{attributes: "Singleton", tags: "Append", second: second, want: []string{"Aliases=two", "Description=three"}, wantTags: []string{"A", "B"}},
		{attributes: "Static", tags: "Append", second: second, want: []string{"Description=one", "Aliases=two"}, wantTags: []string{"A", "B"}},
	} {
		t.Run(tc.attributes+" "+tc.second, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.batch(config("attributeWriteType", `"Append"`), item(first))
			job := r.batch(config("attributeWriteType", `"`+tc.attributes+`"`, "tagWriteType", `"`+tc.tags+`"`,
				"securityLabelWriteType", `"`+tc.tags+`"`), item(tc.second))
			require.Equal(t, 1, job.Success, job.Problems)
			got := r.host("www.example.com")
			assert.Equal(t, tc.want, values(got.Attributes))
			assert.Equal(t, tc.wantTags, got.Tags)
			assert.Len(t, got.Labels, len(tc.wantTags))
		})
	}
}

func TestPartiallySavedItems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ members, code, says string }{
		{`,"attribute":[{"type":"Nothing","value":"x"}]`, "0x2001", msgAttributeType},
		{`,"attribute":[{"type":"Aliases","value":""}]`, "0x2001", msgNoValue},
		{`,"attribute":[{"type":"Admiralty Code","value":"ABC"}]`, "0x2001", "between 1-2 characters"},
		{`,"attribute":[{"type":"Adversary Type","value":"x"}]`, "0x2001", msgAttributeType},
		{`,"tag":[{"name":"` + strings.Repeat("x", 129) + `"}]`, "0x2001", "1-128"},
		{`,"securityLabel":[{"name":"New"}]`, "0x2001", "not found"},
		{`,"securityLabel":[{"name":"New","description":"d","color":"#12345"}]`, "0x2001", "color"},
		{`,"associatedGroups":[{"groupXid":"nobody"}]`, "0x1009", "nobody"},
		{`,"associatedGroups":["nobody"]`, "0x1009", "nobody"},
	} {
		r := newRig(t)
		job := r.batch(config(), `{"indicator":[{"type":"Host","summary":"www.example.com","rating":3`+tc.members+`}]}`)
		require.Len(t, job.Problems, 1, tc.members)
		assert.Equal(t, []int{0, 1}, []int{job.Success, job.Errors}, tc.members)
		assert.Equal(t, tc.code, job.Problems[0].Code, tc.members)
		assert.Contains(t, job.Problems[0].Message, tc.says, tc.members)
		assert.Equal(t, "www.example.com", job.Problems[0].Source)
		assert.InDelta(t, 3, *r.host("www.example.com").Rating, 0, "other parts are kept")
	}
}

func TestRejectedBatchItems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, item, code string }{
		{"indicator", `{"summary":"www.example.com"}`, "0x1005"},
		{"indicator", `{"type":"Domain","summary":"www.example.com"}`, "0x1005"},
		{"indicator", `{"type":"Host"}`, "0x1005"},
		{"indicator", `{"type":"Host","summary":"m_lena.example.com"}`, "0x1005"},
		{"indicator", `{"type":"Host","summary":"www.example.com","rating":6}`, "0x1005"},
		{"indicator", `{"type":"Host","summary":"www.example.com","confidence":101}`, "0x1005"},
		{"indicator", `{"type":"Mutex","summary":"x","privateFlag":true}`, "0x1005"},
		{"group", `{"type":"Threat","name":"x"}`, "0x1006"},
		{"group", `{"type":"Threat","xid":"x"}`, "0x1006"},
		{"group", `{"name":"x","xid":"x"}`, "0x1006"},
		{"group", `{"type":"Incident","name":"x","xid":"x","status":"Asleep"}`, "0x1006"},
		{"group", `{"type":"Signature","name":"x","xid":"x"}`, "0x1006"},
		{"group", `{"type":"Report","name":"x","xid":"x","insights":"y"}`, "0x1006"},
		{"group", `{"type":"Threat","name":"` + strings.Repeat("x", 101) + `","xid":"x"}`, "0x1006"},
	} {
		r := newRig(t)
		job := r.batch(config(), `{"`+tc.kind+`":[`+tc.item+`]}`)
		require.Len(t, job.Problems, 1, tc.item)
		assert.Equal(t, tc.code, job.Problems[0].Code, tc.item)
		assert.Empty(t, r.srv.Indicators(source))
		assert.Empty(t, r.srv.Groups(source))
	}
}

func TestIndicatorsOfABatchFile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	job := r.batch(config(), `{"indicator":[
		{"type":"Address","ip":"192.0.2.1"},
		{"type":"EmailAddress","address":"bad@example.com"},
		{"type":"File","summary":"d41d8cd98f00b204e9800998ecf8427e :  : ","intValue1":12,"fileOccurrence":{"fileName":"a.exe"}},
		{"type":"File","summary":"ignored","sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","fileOccurrence":[{"path":"C:\\x","date":"2026-01-02T03:04:05Z"}]},
		{"type":"Host","hostName":"www.example.com","flag1":true,"flag2":"false","description":"why","rating":5.0,"confidence":"20",
		 "firstSeen":"2026-01-02T03:04:05-05:00","attribute":[{"type":"Aliases","value":"x","pinned":true,"securityLabel":[{"name":"New","description":"d","color":"123abc"}]}]},
		{"type":"URL","text":"http://example.com/A"},
		{"type":"Registry Key","Key Name":"HKEY_USERS\\x","Value Name":" ","Value Type":"REG_SZ"},
		{"type":"Registry Key","summary":"HKEY_USERS\\y : name : REG_SZ"},
		{"type":"User Agent","value1":"Example/1.0"},
		{"type":"Hashtag","summary":"#Example"},{"type":"Email Subject","Subject":"Hello"},
		{"type":"ASN","AS Number":"ASN64496"},{"type":"CIDR","Block":"192.0.2.0/24"},{"type":"Mutex","Mutex":"Ex"}
	]}`)
	require.Empty(t, job.Problems)
	assert.Equal(t, 14, job.SuccessfulIndicators)
	h := r.host("www.example.com")
	assert.True(t, h.DNSActive)
	assert.False(t, h.WhoisActive)
	assert.Equal(t, 20, *h.Confidence)
	assert.Equal(t, []string{"Aliases=x", "Description=why"}, values(h.Attributes))
	assert.Equal(t, []string{"New"}, h.Attributes[0].Labels)
	assert.Len(t, r.srv.Labels(source), 7)
	f, ok := r.srv.Indicator(source, "File", "D41D8CD98F00B204E9800998ECF8427E")
	require.True(t, ok)
	assert.Equal(t, int64(12), f.Size)
	assert.Equal(t, "a.exe", f.Occurrences[0].FileName)
	assert.True(t, r.srv.Has(source, "Registry Key", `HKEY_USERS\x :   : REG_SZ`))
}

func TestGroupXIDsAreInstanceWide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	group := func(name string) string {
		return `{"group":[{"type":"Threat","name":"` + name + `","xid":"x1"}],"indicator":[{"type":"Host","summary":"www.example.com","associatedGroups":[{"groupXid":"x1"}]}]}`
	}
	require.Empty(t, r.batch(config(), group("one")).Problems)
	require.Empty(t, r.batch(config(), group("two")).Problems)
	assert.Len(t, r.srv.Groups(source), 1)
	g, ok := r.srv.Group("x1")
	require.True(t, ok)
	assert.Equal(t, "two", g.Name)
	assert.Equal(t, []string{"Host: www.example.com"}, g.Indicators)

	other := r.batch(config("owner", `"Example Community"`), group("three"))
	assert.Equal(t, "0x1009", other.Problems[0].Code, "associations never cross owners")
	g, _ = r.srv.Group("x1")
	assert.Equal(t, "three", g.Name, "the group of the other owner was overwritten")
	assert.Equal(t, source, g.Owner)
	assert.Empty(t, r.srv.Groups("Example Community"))

	mixed := r.batch(config(), `{"group":[{"type":"Adversary","name":"x","xid":"x1"}]}`)
	assert.Equal(t, "0x1006", mixed.Problems[0].Code)
}

func TestAssociations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	job := r.batch(config(), `{
		"indicator":[{"type":"Host","summary":"www.example.com","associatedGroups":[{"groupXid":"later"}]},{"type":"URL","summary":"http://www.example.com/"}],
		"group":[{"type":"Threat","name":"a","xid":"first","associatedGroupXid":["later"],"associatedIndicators":[{"summary":"http://www.example.com/","indicatorType":"URL"}]},
			{"type":"Threat","name":"b","xid":"later"},{"type":"Threat","name":"c","xid":"third"}],
		"association":[{"ref_1":"first","ref_2":"third"},
			{"ref_1":"http://www.example.com/","type_1":"URL","ref_2":"www.example.com","type_2":"Host","associationType":"URL Host"},
			{"ref_1":"www.example.com","type_1":"Host","ref_2":"third"},
			{"ref_1":"http://www.example.com/","type_1":"URL","ref_2":"www.example.com","type_2":"Host","associationType":"ASN to CIDR"},
			{"ref_1":"nobody","ref_2":"first"},{"ref_1":"first"},{"ref_1":"first","ref_2":"first"}]}`)
	assert.Equal(t, 3, job.SuccessfulAssociations)
	var codes []string
	for _, p := range job.Problems {
		codes = append(codes, p.Code)
	}
	assert.Equal(t, []string{"0x1009", "0x1007", "0x1009", "0x1009"}, codes)
	assert.Equal(t, []string{"later", "third"}, r.host("www.example.com").Groups[0:2])
	first, _ := r.srv.Group("first")
	assert.Equal(t, []string{"later", "third"}, first.Groups)
	assert.Equal(t, []string{"URL: http://www.example.com/"}, first.Indicators)
	assert.Equal(t, []string{"URL: http://www.example.com/"}, r.host("www.example.com").Associated)

	host, third := r.host("www.example.com"), must(r.srv.Group("third"))
	byID := r.batch(config(), fmt.Sprintf(`{"association":[{"id_1":%d,"type_1":"Host","id_2":%d},{"id_1":1,"ref_2":"first"},{"id_1":%d,"ref_2":"first","type_2":"Threat"}]}`, host.ID, first.ID, third.ID))
	assert.Equal(t, 2, byID.SuccessfulAssociations)
	assert.Equal(t, "0x1007", byID.Problems[0].Code)

	early := newRig(t).batch(config(), `{"association":[{"ref_1":"a","ref_2":"b"}],"group":[{"type":"Threat","name":"a","xid":"a"},{"type":"Threat","name":"b","xid":"b"}]}`)
	assert.Equal(t, 1, early.FailedAssociations, "the association array must come last")
	assert.Equal(t, 2, early.SuccessfulGroups)
}

func must[T any](v T, _ bool) T { return v }

func TestOldJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	g := &GroupRecord{Owner: source, Type: "Threat", Name: "x"}
	r.seed(g)
	v1 := config("version", `"V1"`)
	job := r.batch(v1, fmt.Sprintf(`[{"type":"File","summary":{"md5":"d41d8cd98f00b204e9800998ecf8427e"}},
		{"type":"Host","summary":"www.example.com","source":"me","associatedGroup":[%d]}]`, g.ID))
	require.Empty(t, job.Problems)
	assert.Equal(t, 2, job.Success)
	assert.Equal(t, []string{g.XID}, r.host("www.example.com").Groups)
	wrapped := r.batch(v1, `{"indicator":[{"type":"Host","summary":"b.example.com"}],"group":[{"type":"Threat","name":"x","xid":"y"}]}`)
	assert.Equal(t, 1, wrapped.Success)
	assert.Len(t, r.srv.Groups(source), 1, "a V1 job ignores groups")
}

func TestDeleteByBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const content = `{"group":[{"type":"Threat","name":"a","xid":"x1"}],"indicator":[{"type":"Host","summary":"www.example.com","associatedGroups":[{"groupXid":"x1"}]},
		{"type":"File","summary":"d41d8cd98f00b204e9800998ecf8427e : da39a3ee5e6b4b0d3255bfef95601890afd80709"}]}`
	r.batch(config(), content)
	job := r.batch(config("action", `"Delete"`), strings.Replace(content, "d41d8cd98f00b204e9800998ecf8427e : ", "", 1))
	assert.Empty(t, job.Problems)
	assert.Empty(t, r.srv.Indicators(source))
	g, _ := r.srv.Group("x1")
	assert.Empty(t, g.Indicators)
	require.NoError(t, r.srv.Check())
	assert.Empty(t, r.srv.Groups(source))
	assert.InDelta(t, 2, r.get("/v2/indicators/deleted?owner=Example%20Source").at("data", "resultCount"), 0)
	assert.Empty(t, r.batch(config("action", `"Delete"`), content).Problems, "deleting again")
}

func TestConflictingHashes(t *testing.T) {
	t.Parallel()
	const (
		md5A         = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		sha1A, sha1B = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	)
	file := func(hashes string) string {
		return `{"indicator":[{"type":"File","summary":"` + hashes + `","tag":[{"name":"T"}]}]}`
	}
	for _, tc := range []struct {
		name, mode     string
		before, during []string
		want           []string
		errors         int
	}{
		{name: "hashes are united", before: []string{md5A}, during: []string{md5A + " : " + sha1A}, want: []string{md5A + " : " + sha1A}},
		{name: "two files become one", before: []string{md5A, sha1A}, during: []string{md5A + " : " + sha1A}, want: []string{md5A + " : " + sha1A}},
		{
			name:   "both files get the metadata",
			mode:   `"fileMergeMode":"Distribute"`,
			before: []string{md5A, sha1A},
			during: []string{md5A + " : " + sha1A},
			want:   []string{md5A, sha1A},
		},
		{
			name:   "the incoming hash wins",
			before: []string{md5A + " : " + sha1A},
			during: []string{md5A + " : " + sha1B},
			want:   []string{md5A + " : " + sha1B},
		},
		{
			name:   "the existing hash wins",
			mode:   `"hashCollisionMode":"FavorExisting"`,
			before: []string{md5A + " : " + sha1A},
			during: []string{md5A + " : " + sha1B},
			want:   []string{md5A + " : " + sha1A},
		},
		{
			name:   "the incoming file is ignored",
			mode:   `"hashCollisionMode":"IgnoreIncoming"`,
			before: []string{md5A + " : " + sha1A},
			during: []string{md5A + " : " + sha1B},
			want:   []string{md5A + " : " + sha1A},
			errors: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for _, h := range tc.before {
				r.batch(config(), file(h))
			}
			cfg := config()
			if tc.mode != "" {
				cfg = strings.Replace(cfg, "{", "{"+tc.mode+",", 1)
			}
			job := r.batch(cfg, file(tc.during[0]))
			assert.Equal(t, tc.errors, job.Errors)
			var got []string
			for _, i := range r.srv.Indicators(source) {
				got = append(got, i.Summary)
				for h := range strings.SplitSeq(i.Summary, " : ") {
					assert.True(t, r.srv.Has(source, "File", h))
				}
			}
			assert.Equal(t, tc.want, got)
		})
	}
}

// Merging a file into another one moves its links, including pending links.
func TestMergedFilesKeepLinks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	md5, sha1 := strings.Repeat("0", 32), strings.Repeat("1", 40)
	r.batch(config(), `{"indicator":[{"type":"File","md5":"`+md5+`"},
		{"type":"File","sha1":"`+sha1+`","associatedGroups":[{"groupXid":"later"}]},
		{"type":"File","md5":"`+md5+`","sha1":"`+sha1+`"}],"group":[{"type":"Threat","name":"n","xid":"later"}]}`)
	require.NoError(t, r.srv.Check())
	all := r.srv.Indicators(source)
	require.Len(t, all, 1)
	assert.Equal(t, []string{"later"}, all[0].Groups)
	g, _ := r.srv.Group("later")
	assert.Equal(t, []string{"File: " + md5 + " : " + sha1}, g.Indicators)
}

func TestWithoutContents(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithoutContents())
	job := r.batch(config(), `{"group":[{"type":"Threat","name":"a","xid":"x1"}],"indicator":[
		{"type":"Host","summary":"www.example.com","associatedGroups":[{"groupXid":"x1"}],"attribute":[{"type":"Description","value":"x"}]},
		{"type":"Host","summary":"WWW.example.com"},{"type":"Host","summary":"bad"},
		{"type":"Host","summary":"b.example.com","attribute":[{"type":"Nothing","value":"x"}]},
		{"type":"Host","summary":"c.example.com","associatedGroups":[{"groupXid":"nobody"}]}],
		"association":[{"ref_1":"www.example.com","type_1":"Host","ref_2":"x1"},{"ref_1":"d.example.com","type_1":"Host","ref_2":"x1"}]}`)
	assert.Equal(t, []int{2, 3}, []int{job.SuccessfulIndicators, job.FailedIndicators})
	assert.Equal(t, 1, job.FailedAssociations)
	assert.Equal(t, 1, job.SuccessfulAssociations)
	assert.Equal(t, 3, r.srv.Counts(source).Indicators)
	assert.True(t, r.srv.Has(source, "Host", "www.example.com"))
	assert.Empty(t, r.srv.Indicators(source))
	g, _ := r.srv.Group("x1")
	assert.Empty(t, g.Indicators)
	require.NoError(t, r.srv.Check())
	r.batch(config("action", `"Delete"`), `{"indicator":[{"type":"Host","summary":"www.example.com"}]}`)
	assert.False(t, r.srv.Has(source, "Host", "www.example.com"))
}
