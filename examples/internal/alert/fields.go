package alert

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/examples/internal/command"
)

// maxCandidates is how many values an alert may have. One with more is a feed.
const maxCandidates = 200

// fields says where in an alert things are. What is empty is looked for under the usual names.
type fields struct {
	indicators      command.Texts
	id, title, time string
}

// The usual names: those of the Elastic Common Schema, and what many products use.
func usualFields() []string {
	return []string{
		"source.ip", "destination.ip", "client.ip", "server.ip", "src_ip", "dst_ip", "dest_ip", "source_ip", "destination_ip",
		"destination.domain", "dns.question.name", "url.full", "url.original", "url", "domain", "hostname", "query",
		"file.hash.md5", "file.hash.sha1", "file.hash.sha256", "md5", "sha1", "sha256",
		"email.from.address", "sender",
	}
}

func usualTitles() []string {
	return []string{"title", "rule.name", "alert.signature", "name", "event.action", "message"}
}

func usualTimes() []string {
	return []string{"timestamp", "@timestamp", "time", "event.created"}
}

// alert is what is read from an alert.
type alert struct {
	id         string
	digest     string // SHA-256 of the body
	title      string
	when       time.Time
	candidates []candidate
}

// candidate is a value that may be an indicator.
type candidate struct {
	value string
	typ   string // as the alert calls it; empty when it does not say
	field string
}

// readAlert reads an alert of at most limit bytes.
func readAlert(r io.Reader, limit int64, f *fields, now time.Time) (*alert, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("the alert is larger than %d bytes; -max-body allows for more", limit)
	case len(bytes.TrimSpace(b)) == 0:
		return nil, errors.New("there is no alert: give one JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil || body == nil {
		return nil, errors.New("the alert is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is something behind the alert: give one JSON object at a time")
	}
	a := &alert{
		digest: digest(bytes.TrimSpace(b)),
		id:     first(body, f.id, "id", "alert_id", "event.id"),
		title:  first(body, f.title, usualTitles()...),
		when:   parseTime(first(body, f.time, usualTimes()...), now),
	}
	names := []string(f.indicators)
	if len(names) == 0 {
		names = usualFields()
	}
	seen := map[candidate]bool{}
	add := func(c candidate) {
		if c.value = strings.TrimSpace(c.value); c.value == "" || seen[candidate{value: c.value, typ: c.typ}] {
			return
		}
		seen[candidate{value: c.value, typ: c.typ}] = true
		a.candidates = append(a.candidates, c)
	}
	for _, n := range names {
		walk(body, strings.Split(n, "."), func(v any) {
			if s, ok := v.(string); ok {
				add(candidate{s, "", n})
			}
		})
	}
	walk(body, []string{"indicators"}, func(v any) {
		switch v := v.(type) {
		case string:
			add(candidate{v, "", "indicators"})
		case map[string]any:
			add(candidate{first(v, "", "value", "indicator", "summary"), first(v, "", "type"), "indicators"})
		}
	})
	if len(a.candidates) > maxCandidates {
		return nil, fmt.Errorf("the alert has %d values, and more than %d are a feed: filter where alerts are made", len(a.candidates), maxCandidates)
	}
	return a, nil
}

// walk calls found with what is at path. Lists are walked through, and names with dots in them are
// found as well as nested ones.
func walk(v any, path []string, found func(any)) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			walk(e, path, found)
		}
		return
	case map[string]any:
		for n := 1; n <= len(path); n++ {
			if child, ok := v[strings.Join(path[:n], ".")]; ok {
				walk(child, path[n:], found)
			}
		}
	}
	if len(path) == 0 {
		found(v)
	}
}

// first returns the first text or number that is at named, or else at one of the usual paths.
func first(body map[string]any, named string, usual ...string) string {
	s := ""
	if named != "" {
		usual = []string{named}
	}
	for _, p := range usual {
		walk(body, strings.Split(p, "."), func(v any) {
			switch v := v.(type) {
			case string:
				s = cmp.Or(s, strings.TrimSpace(v))
			case json.Number:
				s = cmp.Or(s, v.String())
			}
		})
		if s != "" {
			return s
		}
	}
	return ""
}

// parseTime reads a date in RFC 3339, or seconds or milliseconds since 1970. What is none of them,
// or lies in the future, is now.
func parseTime(s string, now time.Time) time.Time {
	at := now
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		at = t
	} else if n, err := strconv.ParseFloat(s, 64); err == nil && n > 0 && n < 1e14 {
		if n >= 1e11 {
			n /= 1000
		}
		at = time.Unix(int64(n), 0)
	}
	if at.After(now) {
		return now
	}
	return at
}

// name returns the name of an alert's event: the title, and the id in parentheses. Alerts with different
// ids have different names. An id that is too long, or is not plain, is cut and followed by an ellipsis
// and a part of its digest; plain ids have no ellipsis. The digest of the body stands for an id that is
// missing.
func (a *alert) name() string {
	id := a.id
	switch {
	case id == "":
		id = "…" + a.digest[:digestPart]
	case len(id) > maxID || !isPlain(id):
		id = strings.TrimSuffix(cut(clean(id), maxID-digestPart), "…") + "…" + digest([]byte(id))[:digestPart]
	}
	title := cmp.Or(clean(a.title), "Alert")
	return cut(title, maxName-utf8.RuneCountInString(id)-len(" ()")) + " (" + id + ")"
}

const (
	maxID      = 50 // characters of an id in a name
	digestPart = 12 // characters of a digest in a name
)

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// isPlain reports whether an id can stand in a name as it is, and cannot be taken for another id.
func isPlain(id string) bool {
	return id == clean(id) && !strings.ContainsFunc(id, func(r rune) bool {
		return r == '(' || r == ')' || r >= utf8.RuneSelf
	})
}

// maxName is how many characters the name of a group has at most.
const maxName = 100

// clean takes out what the name of a group cannot have, and the comma, which the platform cannot
// find a group by.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, " "), func(r rune) bool {
		return r <= ' ' || r == ',' || r >= 0x7f && r < 0xa0
	}), " ")
}

func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), " ") + "…"
}
