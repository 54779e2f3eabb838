package feeds

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// Entry is an indicator or a group of a feed.
type Entry struct {
	Line   int                     // line in the feed, from 1
	Object string                  // ID of the STIX object; empty in other formats
	Item   threatconnect.BatchItem // a threatconnect.Indicator or a threatconnect.Group
}

// LineError is the error of an entry that is left out. The entries after it are still read.
type LineError struct {
	Line    int    // line in the feed, from 1
	Object  string // ID of the STIX object; empty in other formats
	Rule    string // the rule that the entry breaks, for example "has no type"
	Fix     string // how to fix it; may be empty
	Skipped bool   // whether the entry is valid, but of a kind that is not imported
}

// Error returns the line, the object, the rule and the fix. It never contains a value from the feed.
func (e *LineError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d: ", e.Line)
	if e.Object != "" {
		b.WriteString(e.Object + ": ")
	}
	b.WriteString(e.Rule)
	if e.Fix != "" {
		b.WriteString("; " + e.Fix)
	}
	return b.String()
}

// ErrFormat matches errors of input that is not a feed, or is not in the stated format.
var ErrFormat = errors.New("unreadable feed")

// Format is the format of a feed.
type Format string

const (
	// FormatList is a list with one indicator per line, of any type that threatconnect.ParseIndicator
	// recognizes, defanged or not. Blank lines and comments are ignored. A comment starts with #, // or ; and
	// ends with the line. A line of a hosts file, such as "0.0.0.0 one.example two.example", becomes the hosts
	// that it blocks; names of the local machine, such as localhost, are skipped.
	FormatList Format = "list"

	// FormatCSV is CSV with the column map Options.CSV.
	FormatCSV Format = "csv"

	// FormatURLhaus is the CSV of URLhaus. Each row becomes a URL. The link becomes the Source, the threat and
	// the status become the Description, and the dates become ExternalDateAdded and LastSeen. URLs with the same
	// threat are associated with a Threat group. The reporter is left out, because it can be a person.
	FormatURLhaus Format = "urlhaus"

	// FormatFeodo is the CSV of Feodo Tracker. Each row becomes an Address with its dates. The malware becomes a
	// tag, and the port and the status become the Description. Addresses with the same malware are associated
	// with a Malware group.
	FormatFeodo Format = "feodo"

	// FormatThreatFox is the CSV of ThreatFox. Each row becomes a Host, an Address, a URL, a File or an
	// EmailAddress with its confidence, tags and dates. The reference becomes the Source. The threat, the port
	// and a note about compromised sites become the Description. Indicators of the same malware are associated
	// with a Malware group. The reporter is left out, because it can be a person.
	FormatThreatFox Format = "threatfox"

	// FormatJSONLines is one JSON object per line, for programs that prepare a feed. An object is an indicator
	// or a group:
	//
	//	{"type":"Host","summary":"bad.example","rating":3,"confidence":80,"tags":["phishing"],"groups":["xid-1"]}
	//	{"group":{"type":"Incident","name":"Phishing in May","xid":"xid-1","eventDate":"2026-01-02T03:04:05Z"}}
	//
	// An indicator requires summary and type, which must be a standard type. A group requires type, name and xid.
	// The xid identifies the group in the feed. The imported xid is derived from it, Options.Owner and
	// Options.Feed, unless Options.LiteralXIDs is set. The other fields are optional:
	//
	//   - of both: tags, securityLabels and groups (xids of groups to associate with), which are lists of strings;
	//     attributes, a list of objects with type and value; the dates firstSeen, lastSeen, externalDateAdded,
	//     externalDateExpires and externalLastModified
	//   - of an indicator: rating and confidence
	//   - of a Document: fileName (required), malware, password
	//   - of an Email: subject, header and body (required), from, to
	//   - of an Event: eventDate (required), status, eventType
	//   - of an Incident: eventDate (required), status
	//   - of a Report: fileName (required), publishDate
	//   - of a Signature: fileName, fileType and fileText (required)
	//
	// Dates are in the format of RFC 3339. A null field is the same as a missing one. Values are literal: an
	// unknown or repeated field, a value of another JSON type or a defanged value is an error of the line.
	FormatJSONLines Format = "jsonl"

	// FormatSTIX is one or more STIX 2.0 or 2.1 bundles, or TAXII 2.1 envelopes, one after another. They form one
	// feed: objects can refer to objects in other bundles, and only the newest version of an object is used.
	// Because objects can refer to later ones, the whole input is read before the first entry. Truncated input and
	// input with other text yield no entries. The order of entries is: errors of refused objects, groups, and
	// indicators with the errors of their patterns.
	//
	//   - An indicator becomes an indicator for each comparison in its pattern, if the comparisons are joined by OR
	//     and have the operator = or IN. Supported are hosts, addresses and blocks of them, URLs, email addresses and
	//     subjects, MD5, SHA-1 and SHA-256 hashes, AS numbers and mutexes. Other parts of patterns are skipped.
	//   - malware, tool, campaign, intrusion-set, threat-actor (Adversary), attack-pattern, vulnerability,
	//     course-of-action, report and x-mitre-tactic (Tactic) become groups, whose xids depend on Options.Owner,
	//     Options.Feed and the STIX ID. A name of more than 100 characters is shortened, and the Description then
	//     begins with the full name.
	//   - Relationships and the contents of a report become associations, with up to 50,000 groups per object.
	//   - labels, indicator_types and kill_chain_phases become tags; a technique of Enterprise ATT&CK becomes the
	//     tags of threatconnect.AttackTags.
	//   - description becomes the Description, and the first external reference with a URL the Source. confidence,
	//     valid_until, created, modified, first_seen, last_seen and published become the corresponding fields. TLP
	//     markings become security labels.
	//
	// Objects of other types, revoked objects, and references to missing objects are skipped. An object is refused
	// if the members above, except the contents of a report, have more than 1 MiB. At most 10,000 refused objects
	// without an ID are reported.
	FormatSTIX Format = "stix"
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{FormatList, FormatCSV, FormatURLhaus, FormatFeodo, FormatThreatFox, FormatJSONLines, FormatSTIX}
}

// Options configures [Open]. The zero value detects the format.
type Options struct {
	// Format is the format of the feed. Empty means that Open detects it. FormatCSV is never detected.
	Format Format
	// CSV maps columns to fields. FormatCSV requires it. For the other CSV formats, it replaces the built-in map,
	// such as URLhaus. It must not be modified while the feed is read.
	CSV *CSV
	// Owner is the owner that the feed is imported into, and Feed is a name for the feed, such as "urlhaus". The
	// xid of a group is derived from both and the ID of the group in the feed. An xid is unique in an instance, so
	// without them a feed could change the groups of another feed or owner by using their IDs. Feeds with the same
	// Owner and Feed share their groups. If Feed changes, the feed gets new groups.
	//
	// Both are required if the feed can have groups: for FormatSTIX, for FormatJSONLines without LiteralXIDs, and
	// for the CSV formats if a column becomes a group.
	Owner, Feed string
	// LiteralXIDs uses the xids of FormatJSONLines unchanged, to change or refer to groups of other programs. The
	// feed can then change every group that the API user can write to, if it knows the xid. Set it only for feeds
	// of your own. Other formats ignore it.
	LiteralXIDs bool
	// Dir is the directory for the temporary files of FormatSTIX, which need up to 4 times the size of the feed plus
	// 16 MiB. Empty means os.TempDir.
	Dir string
}

// Feed is an open feed. It is not safe for concurrent use.
type Feed struct {
	format  Format
	br      *bufio.Reader
	csv     *CSV
	xid     func(parts ...string) string // nil if xids are literal
	dir     string
	started atomic.Bool
}

// Open returns a feed that is read from r. A nil o is the same as the zero Options. Open detects the format, unless
// the options state it. It reads at most 64 KiB from r, and only as much as it needs, so r can be a slow stream. Input
// that is not a feed, such as an archive or an HTML page, returns an error that matches [ErrFormat]. Invalid options
// return a [*threatconnect.ValidationError]. An error of r is returned unchanged. Open does not close r.
func Open(r io.Reader, o *Options) (*Feed, error) {
	if o == nil {
		o = &Options{}
	}
	if o.Format != "" && !slices.Contains(Formats(), o.Format) {
		return nil, invalid("format", "is unknown", fmt.Sprintf("use one of %v", Formats()))
	}
	f := &Feed{br: bufio.NewReaderSize(r, headBytes), csv: o.CSV, dir: o.Dir}
	var err error
	if f.format, err = detect(f.br, o.Format); err != nil {
		return nil, err
	}
	if f.csv == nil {
		f.csv = preset(f.format)
	}
	groups := f.format == FormatSTIX
	switch f.format {
	case FormatJSONLines:
		groups = !o.LiteralXIDs
	case FormatCSV, FormatURLhaus, FormatFeodo, FormatThreatFox:
		if f.csv == nil {
			return nil, invalid("column map", "is missing for the format csv", "state which column becomes which field")
		}
		if err := f.csv.check(); err != nil {
			return nil, err
		}
		groups = f.csv.hasGroups()
	}
	switch {
	case groups && strings.TrimSpace(o.Owner) == "":
		return nil, invalid("owner", "is missing for a feed with groups", "name the owner that the feed is imported into")
	case groups && strings.TrimSpace(o.Feed) == "":
		return nil, invalid("name of the feed", "is missing for a feed with groups", "choose one that stays the same, because it is part of the xids of the groups")
	case groups:
		f.xid = xidsOf(o.Owner, o.Feed)
	}
	return f, nil
}

// xidsOf returns the function that derives the xids of a feed from the parts of an ID. Owner and feed are hashed
// separately and quoted, so that no ID of one feed gives an xid of another.
func xidsOf(owner, feed string) func(parts ...string) string {
	own := threatconnect.XID("feed", strconv.Quote(owner), strconv.Quote(feed))
	return func(parts ...string) string { return threatconnect.XID(append([]string{own}, parts...)...) }
}

// Format returns the stated or detected format.
func (f *Feed) Format() Format { return f.format }

// All returns an iterator over the entries of the feed, in order. It can be used once; a second loop gets only an
// error.
//
// If an entry is left out, the iterator yields a [*LineError] and continues. Any other error ends it: an error that
// matches [ErrFormat], or an error of the reader.
//
// Memory use is bounded: lines of more than 64 KiB (4 MiB of JSON) are left out, and are not kept in memory. Output is
// bounded too: an entry is left out if it would take more than 64 times as many bytes in batch files as its line, or
// as its STIX object with the references to it. Constants of a column map are not counted. The temporary files of
// FormatSTIX are removed when the loop ends.
func (f *Feed) All() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if f.started.Swap(true) {
			yield(Entry{}, errors.New("the feed is already read; open it again to read it a second time"))
			return
		}
		for e, err := range f.entries() {
			if !yield(e, err) {
				return
			}
		}
	}
}

func (f *Feed) entries() iter.Seq2[Entry, error] {
	switch f.format {
	case FormatList:
		return readLines(f.br, maxLine, listLine)
	case FormatJSONLines:
		return readLines(f.br, maxJSONLine, (&jsonReader{xid: f.xid}).line)
	case FormatSTIX:
		return stix(f.br, f.xid, f.dir)
	}
	return readLines(f.br, maxLine, f.csv.reader(string(f.format), f.xid).line)
}

// Items returns the items of [Feed.All] for [threatconnect.BatchService.Import]. The iterator can be used once.
//
// If onRefused is not nil, it is called for each entry that is left out, including skipped entries. If it is nil, the
// first entry that breaks a rule ends the iterator with its [*LineError], and skipped entries are left out silently.
func (f *Feed) Items(onRefused func(*LineError)) iter.Seq2[threatconnect.BatchItem, error] {
	return func(yield func(threatconnect.BatchItem, error) bool) {
		for e, err := range f.All() {
			refusal, ok := errors.AsType[*LineError](err)
			if ok && onRefused != nil {
				onRefused(refusal)
				continue
			}
			if ok && refusal.Skipped {
				continue
			}
			if !yield(e.Item, err) || err != nil {
				return
			}
		}
	}
}

// maxGrowth is the largest ratio of the bytes sent for an entry to its bytes in the feed.
const maxGrowth = 64

// refused returns the error of an entry that breaks a rule.
func refused(line int, object string, err error) *LineError {
	if e, ok := errors.AsType[*LineError](err); ok {
		e.Line, e.Object = line, object
		return e
	}
	if v, ok := errors.AsType[*ioc.Error](err); ok {
		err = (*threatconnect.ValidationError)(v)
	}
	if v, ok := errors.AsType[*threatconnect.ValidationError](err); ok {
		return &LineError{Line: line, Object: object, Rule: v.Field + " " + v.Rule, Fix: v.Fix}
	}
	return &LineError{Line: line, Object: object, Rule: err.Error()}
}

func invalid(field, rule, fix string) error {
	return &threatconnect.ValidationError{Field: field, Rule: rule, Fix: fix}
}
