package feeds

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// jsonLines reads one JSON object per line; see FormatJSONLines.
func jsonLines(br *bufio.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		l := lineReader{br: br, limit: maxJSONLine}
		for line, err := range l.all {
			if err != nil {
				if !yield(Entry{}, err) {
					return
				}
				continue
			}
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			item, err := jsonItem(line)
			if !yieldItem(yield, l.number, item, err) {
				return
			}
		}
	}
}

func jsonItem(line []byte) (threatconnect.BatchItem, error) {
	switch {
	case !utf8.Valid(line):
		return nil, errors.New("is not valid UTF-8")
	case line[0] != '{':
		return nil, errors.New("is not a JSON object")
	case !json.Valid(line):
		return nil, errors.New("is not valid JSON, or has text after the object")
	case hasLoneSurrogate(line):
		return nil, errors.New("has an escape of half a character, as in \\ud800 alone")
	}
	o, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	group := o.get("group")
	switch {
	case group == nil:
		return jsonIndicator(o)
	case len(o.members) > 1:
		return nil, errors.New("has a group and other fields; want one item per line")
	case group[0] != '{':
		return nil, errors.New("group must be a JSON object")
	}
	if o, err = parseObject(group); err != nil {
		return nil, err
	}
	return jsonGroup(o)
}

func jsonIndicator(o *object) (threatconnect.Indicator, error) {
	typ, summary := o.text("type"), o.text("summary")
	switch {
	case o.err != nil:
		return nil, o.err
	case typ == "":
		return nil, errors.New("has no type")
	case summary == "":
		return nil, errors.New("has no summary")
	}
	ind, err := indicatorOf(threatconnect.IndicatorType(typ), summary)
	if err != nil {
		return nil, err
	}
	m := ind.Meta()
	o.fill(m, "type", "summary", "rating", "confidence")
	m.Tags, m.Attributes, m.SecurityLabels, m.GroupXIDs = o.tags(), o.attributes(), o.labels(), o.groups()
	switch {
	case o.err != nil:
		return nil, o.err
	case m.Rating != nil && (*m.Rating < 0 || *m.Rating > 5):
		return nil, mustBe("rating")
	case m.Confidence != nil && (*m.Confidence < 0 || *m.Confidence > 100):
		return nil, mustBe("confidence")
	}
	return ind, nil
}

func jsonGroup(o *object) (threatconnect.Group, error) {
	typ := o.text("type")
	g, required, optional := groupFields(threatconnect.GroupType(typ))
	switch {
	case o.err != nil:
		return nil, o.err
	case typ == "":
		return nil, errors.New("has a group without a type")
	case g == nil:
		return nil, errors.New("has a group of a type that is not one of the sixteen, as in Incident or Attack Pattern")
	}
	required = append(required, "xid")
	o.fill(g, slices.Concat([]string{"type", "name"}, required, optional)...)
	for _, key := range required {
		if value := string(o.get(key)); o.err == nil && (value == "" || value == `""` || value == "null") {
			return nil, fmt.Errorf("has a group without %s, which its type requires", key)
		}
	}
	m := g.Meta()
	m.Tags, m.Attributes, m.SecurityLabels, m.GroupXIDs = o.tags(), o.attributes(), o.labels(), o.groups()
	if o.err != nil {
		return nil, o.err
	}
	var err error
	m.Name, err = ioc.CanonicalGroupName(m.Name)
	return g, err
}

// groupFields returns a group of a type, or nil, and the names of the fields that only this type has.
func groupFields(t threatconnect.GroupType) (g threatconnect.Group, required, optional []string) {
	switch t {
	case threatconnect.GroupDocument:
		return &threatconnect.Document{}, []string{"fileName"}, []string{"malware", "password"}
	case threatconnect.GroupEmail:
		return &threatconnect.Email{}, []string{"subject", "header", "body"}, []string{"from", "to"}
	case threatconnect.GroupEvent:
		return &threatconnect.Event{}, []string{"eventDate"}, []string{"status", "eventType"}
	case threatconnect.GroupIncident:
		return &threatconnect.Incident{}, []string{"eventDate"}, []string{"status"}
	case threatconnect.GroupReport:
		return &threatconnect.Report{}, []string{"fileName"}, []string{"publishDate"}
	case threatconnect.GroupSignature:
		return &threatconnect.Signature{}, []string{"fileName", "fileType", "fileText"}, nil
	}
	return newGroup(t, ""), nil, nil
}
