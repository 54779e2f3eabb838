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
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// maxCandidates is the maximum number of values in an alert. An alert with more is a feed.
const maxCandidates = 200

// fields contains the paths of the fields of an alert. An empty field means the usual names.
type fields struct {
	indicators      []string
	id, title, time string
}

// The usual names are those of the Elastic Common Schema and of common products.
const (
	usualFields = "source.ip destination.ip client.ip server.ip src_ip dst_ip dest_ip source_ip destination_ip " +
		"destination.domain dns.question.name url.full url.original url domain hostname query " +
		"file.hash.md5 file.hash.sha1 file.hash.sha256 md5 sha1 sha256 email.from.address sender"
	usualIDs    = "id alert_id event.id"
	usualTitles = "title rule.name alert.signature name event.action message"
	usualTimes  = "timestamp @timestamp time event.created"
)

// alert is the part of an alert that is used.
type alert struct {
	id         string
	digest     string // SHA-256 of the body, in hexadecimal
	title      string
	when       time.Time
	candidates []candidate
}

// candidate is a value that may be an indicator.
type candidate struct {
	value string
	typ   string // as the alert names it; empty if it does not
	field string
}

var errTooLarge = errors.New("the alert has more bytes than --max-body allows")

// readBody reads the body of an alert of up to limit bytes.
func readBody(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errTooLarge
	}
	return bytes.TrimSpace(b), err
}

// parse reads the fields of an alert. An alert without a time happens now.
func parse(b []byte, f *fields, now time.Time) (*alert, error) {
	if len(b) == 0 {
		return nil, errors.New("the alert is empty: send one JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil || body == nil {
		return nil, errors.New("the alert is not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("there is more after the alert: send one JSON object at a time")
	}
	a := &alert{
		digest: digest(b),
		id:     first(body, f.id, usualIDs),
		title:  first(body, f.title, usualTitles),
		when:   parseTime(first(body, f.time, usualTimes), now),
	}
	names := f.indicators
	if len(names) == 0 {
		names = strings.Fields(usualFields)
	}
	seen := map[candidate]bool{}
	add := func(c candidate) {
		c.value = strings.TrimSpace(c.value)
		if key := (candidate{value: c.value, typ: c.typ}); c.value != "" && !seen[key] {
			seen[key] = true
			a.candidates = append(a.candidates, c)
		}
	}
	for _, name := range names {
		walk(body, strings.Split(name, "."), func(v any) {
			if s, ok := v.(string); ok {
				add(candidate{s, "", name})
			}
		})
	}
	walk(body, []string{"indicators"}, func(v any) {
		switch v := v.(type) {
		case string:
			add(candidate{v, "", "indicators"})
		case map[string]any:
			add(candidate{first(v, "", "value indicator summary"), first(v, "type", ""), "indicators"})
		}
	})
	if len(a.candidates) > maxCandidates {
		return nil, fmt.Errorf("the alert has %d values; more than %d are a feed: filter them where the alert is made",
			len(a.candidates), maxCandidates)
	}
	return a, nil
}

// walk calls found with each value at path. It goes through lists, and finds names that contain dots as
// well as nested objects.
func walk(v any, path []string, found func(any)) {
	switch v := v.(type) {
	case []any:
		for _, element := range v {
			walk(element, path, found)
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

// first returns the first text or number at the path named or, if that is empty, at one of the usual paths.
func first(body map[string]any, named, usual string) string {
	paths := strings.Fields(usual)
	if named != "" {
		paths = []string{named}
	}
	s := ""
	for _, path := range paths {
		walk(body, strings.Split(path, "."), func(v any) {
			switch v := v.(type) {
			case string:
				s = cmp.Or(s, strings.TrimSpace(v))
			case json.Number:
				s = cmp.Or(s, v.String())
			}
		})
	}
	return s
}

// parseTime parses a date in RFC 3339, or seconds or milliseconds since 1970. It returns now for anything else and for
// future times.
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

// Limits of the names of groups, in characters.
const (
	maxName    = 100
	maxID      = 50 // of an ID in a name
	digestPart = 16 // of a digest in a name
)

// name returns the name of the event: the title, and the ID in parentheses. Alerts with different IDs have
// different names. An ID that is too long or not plain is cut and followed by an ellipsis and a part of its
// digest; plain IDs have no ellipsis. Without an ID, the digest of the body takes its place.
func (a *alert) name() string {
	id := a.id
	switch {
	case id == "":
		id = "…" + a.digest[:digestPart]
	case len(id) > maxID || !isPlain(id):
		id = strings.TrimSuffix(shorten(nameText(id), maxID-digestPart), "…") + "…" + digest([]byte(id))[:digestPart]
	}
	title := cmp.Or(nameText(a.title), "Alert")
	return shorten(title, maxName-utf8.RuneCountInString(id)-len(" ()")) + " (" + id + ")"
}

// plainName returns a name without foreign text, which takes the place of name if that is refused.
func (a *alert) plainName() string {
	of := a.digest
	if a.id != "" {
		of = digest([]byte(a.id))
	}
	return "Alert (…" + of[:digestPart] + ")"
}

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// isPlain reports whether an ID can be a part of a name and cannot be taken for another ID there.
func isPlain(id string) bool {
	return id == nameText(id) && !strings.ContainsFunc(id, func(r rune) bool {
		return r == '(' || r == ')' || r >= utf8.RuneSelf
	})
}

// nameText removes what names and filters by name cannot have: commas, control characters, and characters
// that are invisible or change the direction of the text.
func nameText(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, " "), func(r rune) bool {
		return r == ',' || r == ' ' || !unicode.IsPrint(r) || canon.CheckText("name", string(r)) != nil
	}), " ")
}

// shorten cuts a text to n characters, of which the last is an ellipsis.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return strings.TrimRight(string(r[:n-1]), " ") + "…"
}
