package threatconnecttest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzValues checks that the server accepts its own canonical forms unchanged, as summaries and in
// paths.
func FuzzValues(f *testing.F) {
	for _, v := range []string{"192.0.2.1", "2001:db8::1", "Bad@example.com", "d41d8cd98f00b204e9800998ecf8427e : ", "WWW.example.com",
		"http://example.com/a b", "ASN64496", "2001:db8:0:0:0:0:0:0/32", `HKEY_USERS\x :   : REG_SZ`, " : ", "a : b : c : d", ""} {
		f.Add(v)
	}
	types := builtInTypes()
	f.Fuzz(func(t *testing.T, v string) {
		for _, typ := range types {
			got, ok := typ.read(v)
			if !ok {
				continue
			}
			again, ok := typ.read(got)
			require.True(t, ok, "%s %q", typ.Name, got)
			require.Equal(t, got, again, typ.Name)
			require.Len(t, typ.split(got), len(typ.Fields))
		}
	})
}

// FuzzRequests checks that every request gets a valid response and leaves a consistent server.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "/api/v2/indicators/hosts/www.example.com?filters=rating%3E1", "")
	f.Add("POST", "/api/v2/indicators/files", `{"md5":"d41d8cd98f00b204e9800998ecf8427e","rating":"3"}`)
	f.Add("PUT", "/api/v2/groups/incidents/1?owner=", `{"name":null}`)
	f.Add("POST", "/api/v2/batch", `{"version":"V2"}`)
	f.Add("GET", "//%", "")
	f.Add("DELETE", "x://", `[`)
	f.Add("GET", "/api/v2/indicators?resultStart=9223372036854775807&resultLimit=1", "")
	f.Fuzz(func(t *testing.T, method, target, body string) {
		s := New()
		r := &http.Request{Method: method, RequestURI: target, Header: http.Header{"Authorization": {"TC-Token " + s.Token()}},
			Body: io.NopCloser(strings.NewReader(body))}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 200)
		if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
		}
		require.NoError(t, s.Check())
	})
}

// FuzzBatchFiles checks that every file ends its job, has its items counted and leaves a consistent
// server. It runs two files, and then the first one again as a Delete job.
func FuzzBatchFiles(f *testing.F) {
	for _, files := range [][2]string{
		{`{"indicator":[{"type":"Host","summary":"www.example.com","tag":[{"name":1}]}]}`, `{"group":[{}]}`},
		{`{"group":[{"type":"Threat","name":"x","xid":"y","associatedGroupXid":["y"]}],"association":[{"ref_1":"y","id_2":1}]}`, `{}`},
		{`{"indicator":[{"type":"File","summary":"d41d8cd98f00b204e9800998ecf8427e","fileOccurrence":{"date":1}}]}`,
			`{"indicator":[{"type":"File","summary":"d41d8cd98f00b204e9800998ecf8427e : da39a3ee5e6b4b0d3255bfef95601890afd80709"}],"indicator":[1]}`},
		{`{"indicator":[{"type":"File","sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","associatedGroups":["y"]},
			{"type":"File","md5":"d41d8cd98f00b204e9800998ecf8427e"},
			{"type":"File","sha1":"da39a3ee5e6b4b0d3255bfef95601890afd80709","md5":"d41d8cd98f00b204e9800998ecf8427e"}],
			"group":[{"type":"Threat","name":"x","xid":"y"}]}`, `{"group":[{"type":"Threat","name":"x","xid":"y"}]}`},
		{`{"indicator":[{"summary":{},"type":{}}]}`, `{"group":[{"type":"Threat","name":"0","xid":"0","associatedGroupXid":[{}]}]}`},
		{`[{}]`, `{"x":{"indicator":[{}]}} {}`},
	} {
		f.Add(files[0], files[1], true, false)
		f.Add(files[0], files[1], false, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, halt, replace bool) {
		mode := map[bool]string{true: "Replace", false: "Append"}[replace]
		for _, version := range []string{"V1", "V2"} {
			s := New()
			for n, content := range []string{first, second, first} {
				j := &job{config: batchConfig{version: version, owner: s.owners[0], action: "Create", attributes: mode, tags: mode, labels: mode, halt: halt},
					content: []byte(content)}
				if n == 2 {
					j.config.action = "Delete"
				}
				s.run(&s.settings, j, s.now())
				require.NoError(t, s.Check())
				assert.Equal(t, jobCompleted, j.status)
				assert.Len(t, j.errors, sum(j.counts.errors))
				counted := sum(j.counts.success) + sum(j.counts.errors) + j.counts.unprocessed
				items, ok := itemsOf(content, version)
				if slices.ContainsFunc(j.errors, func(e JobError) bool { return e.Code == codeSyntax }) {
					assert.LessOrEqual(t, counted, items+1, "at most one error more than items, which ended the job")
				} else {
					assert.True(t, ok, "text that is not JSON must be an error")
					assert.Equal(t, items, counted)
				}
			}
		}
	})
}

// itemsOf counts the items of a batch file up to the first error, and reports whether the file is
// valid JSON.
func itemsOf(content, version string) (n int, ok bool) {
	d := json.NewDecoder(strings.NewReader(content))
	array := func() bool {
		if open, err := d.Token(); err != nil || open != json.Delim('[') {
			return false
		}
		for d.More() {
			var item json.RawMessage
			if d.Decode(&item) != nil {
				return false
			}
			n++
		}
		_, err := d.Token()
		return err == nil
	}
	if version == "V1" && strings.HasPrefix(strings.TrimLeft(content, " \t\r\n"), "[") {
		ok = array()
		return n, ok
	}
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return 0, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return n, false
		}
		var other json.RawMessage
		switch {
		case key == kindIndicator, version == "V2" && (key == kindGroup || key == kindAssociation):
			if !array() {
				return n, false
			}
		case d.Decode(&other) != nil:
			return n, false
		}
	}
	_, err := d.Token()
	return n, err == nil
}

// FuzzStrings checks that the writer's strings are JSON strings.
func FuzzStrings(f *testing.F) {
	for _, s := range []string{"", "plain", `q"\`, "\u2028<>&", "\x00\x7f", "\u00e9\U0001f600"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			return // JSON strings are UTF-8
		}
		w := &jsonWriter{}
		w.value(s)
		var got string
		require.NoError(t, json.Unmarshal(w.b, &got))
		require.Equal(t, s, got)
	})
}

// FuzzScanner checks that the server's JSON scanner accepts exactly the valid JSON texts.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,true,null,"\u00e9\""]}`, `{}`, `[1,]`, `01`, `-`, `"a`, `{"a"}`, `tru`, " [ ] ", `1.`, "\"\x01\"", `"\u12"`, `["0\`, "{\"\x81\":[]}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := &scanner{b: []byte(text)}
		_, err := s.value(0)
		ok := err == nil && s.peek() == 0 && s.i == len(s.b)
		if strings.Count(text, "[")+strings.Count(text, "{") < maxDepth {
			require.Equal(t, json.Valid([]byte(text)), ok, text)
		}
		var want map[string]json.RawMessage
		if got, is := readFields([]byte(text)); is && json.Unmarshal([]byte(text), &want) == nil {
			for name, value := range want {
				raw, there := got.raw(name)
				if string(value) == "null" {
					continue
				}
				require.True(t, there, name)
				require.Equal(t, string(value), string(raw))
			}
		}
	})
}
