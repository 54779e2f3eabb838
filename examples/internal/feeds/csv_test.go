package feeds

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURLhausReadsBothForms(t *testing.T) {
	t.Parallel()
	found, bad := read(t, URLhaus, strings.Join([]string{
		"# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter",
		`"2","2026-01-02 03:04:05","http://WWW.example.com:81/a,b?q=1","online","2026-01-03 00:00:00","malware_download","elf,""mips""","https://feed.example/2/","someone"`,
		`"1","2026-01-01 03:04:05","http://198.51.100.7/","offline","malware_download","None","https://feed.example/1/","someone"`,
		`"0","","https://www.example.org/","","","","","",""`,
		`"x","2026-01-02 03:04:05","not a url","online","","malware_download","","",""`,
		`"x","02.01.2026","http://www.example.com/","online","","malware_download","","",""`,
		`"x","","http://www.example.com/","online","yesterday","malware_download","","",""`,
		`"x","","http://www.example.com/"`,
		`"x","","http://www.example.com/,"online","","","","",""`,
		`x","","http://www.example.com/`,
		`"x","","http://www.example.com/","online","","","` + strings.Repeat("t", 129) + `","",""`,
		`"x","","http://www.example.com/","online","","` + strings.Repeat("t", 129) + `","","",""`,
	}, "\n"))
	assert.Equal(t, []string{
		"2 Threat Malware download",
		"2 URL http://www.example.com:81/a,b?q=1",
		"3 URL http://198.51.100.7/",
		"4 URL https://www.example.org/",
	}, shown(found))
	assert.Equal(t, []string{
		"5 URL has no scheme",
		"6 dateadded: want a date as in 2026-01-02 or 2026-01-02 03:04:05",
		"7 last_online: want a date as in 2026-01-02 or 2026-01-02 03:04:05",
		"8 has 3 columns, want the 8 or 9 of URLhaus",
		"9 has text after the closing quote of a value",
		"10 has a quote inside a value that is not quoted",
		"11 tag is longer than 128 characters",
		"12 group name is longer than 100 characters",
	}, rules(bad))

	group, first, second, bare := found[0].Group.Meta(), found[1].Indicator.Meta(), found[2].Indicator.Meta(), found[3].Indicator.Meta()
	assert.Equal(t, "urlhaus/threat/Malware download", group.XID)
	assert.Equal(t, []string{group.XID}, first.GroupXIDs)
	assert.Equal(t, []string{group.XID}, second.GroupXIDs)
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), first.ExternalDateAdded)
	assert.Equal(t, time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC), first.LastSeen)
	assert.Equal(t, []string{"elf", `"mips"`}, []string{first.Tags[0].Name, first.Tags[1].Name})
	assert.Equal(t, "Threat: malware_download. Status: online.", first.Attributes[0].Value)
	assert.Equal(t, "https://feed.example/2/", first.Attributes[1].Value)
	assert.Empty(t, second.Tags)
	assert.Empty(t, bare.Attributes)
	assert.Empty(t, bare.GroupXIDs)
}

func TestFeodoReadsAllForms(t *testing.T) {
	t.Parallel()
	found, bad := read(t, Feodo, strings.Join([]string{
		"# banner",
		`"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"`,
		`"2026-01-02 03:04:05","192.0.2.1","443","online","2026-01-05","Example"`,
		"2026-01-02 03:04:05,192.0.2.2,8080,2026-01-05,Example",
		"2026-01-02 03:04:05,192.0.2.3,447,Other",
		"2026-01-02 03:04:05,192.0.2.4,447,",
		"2026-01-02 03:04:05,192.0.2.300,447,Other",
		"2026-01-02 03:04:05,192.0.2.5,0,Other",
		"today,192.0.2.5,1,Other",
		"2026-01-02 03:04:05,192.0.2.5,1,soon,Other",
		"192.0.2.5",
		"# END 4 entries",
	}, "\n"))
	assert.Equal(t, []string{
		"3 Malware Example", "3 Address 192.0.2.1", "4 Address 192.0.2.2", "5 Malware Other", "5 Address 192.0.2.3", "6 Address 192.0.2.4",
	}, shown(found))
	assert.Equal(t, []int{7, 8, 9, 10, 11}, []int{bad[0].Line, bad[1].Line, bad[2].Line, bad[3].Line, bad[4].Line})
	a := found[1].Indicator.Meta()
	assert.Equal(t, "feodo/malware/Example", found[0].Group.Meta().XID)
	assert.Equal(t, []string{"feodo/malware/Example"}, a.GroupXIDs)
	assert.Equal(t, "Example", a.Tags[0].Name)
	assert.Equal(t, "Command and control server on port 443. Status: online.", a.Attributes[0].Value)
	assert.Equal(t, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), a.FirstSeen)
	assert.Equal(t, time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), a.LastSeen)
}

func TestManyFamiliesAreForgotten(t *testing.T) {
	t.Parallel()
	var f families
	made := 0
	for i := range 3 * mostFamilies {
		f.xid(strings.Repeat("x", i), func() string { return "x" }, func(string) { made++ })
	}
	assert.Equal(t, 3*mostFamilies, made)
	assert.LessOrEqual(t, len(f.made), mostFamilies)
}

func FuzzSplitCSV(f *testing.F) {
	for _, s := range []string{`a,b`, `"a","b"`, `"a""b",c`, `,`, `""`, `"a`, `a"b`, `"a"b`, ` "a"`, `a,`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\r\n") || s == "" {
			return
		}
		got, err := splitCSV(s, nil)
		r := csv.NewReader(strings.NewReader(s))
		want, wantErr := r.Read()
		require.Equal(t, wantErr == nil, err == nil, "%v %v", wantErr, err)
		if err == nil {
			assert.Equal(t, want, got)
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add(`"2","2026-01-02 03:04:05","http://www.example.com/","online","","x","a,b","y","z"`)
	f.Add("2026-01-02 03:04:05,192.0.2.2,8080,2026-01-05,Example")
	f.Add("# id\n\"\n,,,\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, format := range []Format{URLhaus, Feodo} {
			found, bad, err := readAll(format, s)
			if err != nil {
				require.ErrorIs(t, err, ErrFormat)
				continue
			}
			xids := map[string]bool{}
			for _, e := range found {
				if e.Group != nil {
					xids[e.Group.Meta().XID] = true
					continue
				}
				for _, xid := range e.Indicator.Meta().GroupXIDs {
					assert.True(t, xids[xid], "a group comes before what refers to it")
				}
			}
			assert.LessOrEqual(t, len(bad), strings.Count(s, "\n")+1)
		}
	})
}
