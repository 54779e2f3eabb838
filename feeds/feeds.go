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

// Entry is one indicator or group of a feed.
type Entry struct {
	Line   int                     // line in the feed, from 1
	Object string                  // id of the STIX object; empty in other formats
	Item   threatconnect.BatchItem // a threatconnect.Indicator or a threatconnect.Group
}

// A LineError is the reason why one entry of a feed is left out. The entries after it are still read.
type LineError struct {
	Line    int    // line in the feed, from 1
	Object  string // id of the STIX object; empty in other formats
	Rule    string // the rule that the entry breaks, as in "has no type"
	Fix     string // how to fix it; may be empty
	Skipped bool   // whether the entry is correct, but of a kind that is not imported
}

// Error returns the line, the object, the rule and the fix. It never contains a value of the feed.
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

// ErrFormat matches the errors of input that is not a feed, or not a feed of the stated format.
var ErrFormat = errors.New("unreadable feed")

// Format is the format of a feed.
type Format string

const (
	// FormatList is a list with one indicator per line, of any type that [threatconnect.ParseIndicator]
	// recognizes, defanged or not. Blank lines are ignored, and so are comments, which go from #, // or ; to the
	// end of the line. A line of a hosts file, as in "0.0.0.0 one.example two.example", becomes the hosts that it
	// blocks; names of the local machine, such as localhost, are skipped.
	FormatList Format = "list"

	// FormatCSV is CSV that the column map Options.CSV describes.
	FormatCSV Format = "csv"

	// FormatURLhaus is the CSV of URLhaus. Each row becomes a URL: its link becomes the Source, its threat and
	// status the Description, and its dates ExternalDateAdded and LastSeen. URLs with the same threat are
	// associated with a Threat. The reporter is left out, because it can be a person.
	FormatURLhaus Format = "urlhaus"

	// FormatFeodo is the CSV of Feodo Tracker. Each row becomes an Address with its dates: the malware becomes a
	// tag, and port and status the Description. Addresses with the same malware are associated with a Malware.
	FormatFeodo Format = "feodo"

	// FormatThreatFox is the CSV of ThreatFox. Each row becomes a Host, an Address, a URL, a File or an
	// EmailAddress with its confidence, tags and dates: its reference becomes the Source, and threat, port and
	// whether it is a compromised site the Description. Indicators of the same malware are associated with a
	// Malware. The reporter is left out, because it can be a person.
	FormatThreatFox Format = "threatfox"

	// FormatJSONLines is one JSON object per line, for programs that prepare a feed. An object is an indicator
	// or a group:
	//
	//	{"type":"Host","summary":"bad.example","rating":3,"confidence":80,"tags":["phishing"],"groups":["xid-1"]}
	//	{"group":{"type":"Incident","name":"Phishing in May","xid":"xid-1","eventDate":"2026-01-02T03:04:05Z"}}
	//
	// An indicator requires type, which is a standard type, and summary. A group requires type, name and xid. An
	// xid identifies a group in the feed: the xid that is imported is made of it, Options.Owner and Options.Feed,
	// unless Options.LiteralXIDs is set. The other fields are optional:
	//
	//   - of both: tags, securityLabels and groups (xids of groups to associate with), which are lists of text;
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
	// Dates are as in RFC 3339. Null stands for a field that is missing. Everything is taken literally: an
	// unknown or repeated field, a value of another JSON type and a defanged value are errors of their line.
	FormatJSONLines Format = "jsonl"

	// FormatSTIX is one or several STIX 2.0 or 2.1 bundles, or envelopes of TAXII 2.1, one after the other. They are
	// one feed: objects can refer to objects of other bundles, and of several versions of an object only the newest
	// counts. Because objects can refer to later ones, the whole input is read before the first entry. Input that
	// is cut, or has other text in it, yields no entries. First come errors of refused objects, then groups, then
	// indicators and errors of their patterns.
	//
	//   - An indicator becomes an indicator for each comparison in its pattern, if these are joined by OR and have the
	//     operator = or IN: hosts, addresses and blocks of them, URLs, email addresses and subjects, MD5, SHA-1 and
	//     SHA-256 hashes, AS numbers and mutexes. Other parts of patterns are skipped.
	//   - malware, tool, campaign, intrusion-set, threat-actor (Adversary), attack-pattern, vulnerability,
	//     course-of-action, report and x-mitre-tactic (Tactic) become groups, whose xids depend on Options.Owner,
	//     Options.Feed and the STIX id. A name of more than 100 characters is shortened, and the Description begins with all of it.
	//   - Relationships and the contents of a report become associations with up to 50,000 groups per object.
	//   - labels, indicator_types and kill_chain_phases become tags; a technique of Enterprise ATT&CK becomes the
	//     tags of [threatconnect.AttackTags].
	//   - description and the first external reference with a URL become the Description and the Source; confidence,
	//     valid_until, created, modified, first_seen, last_seen and published the fields of that meaning; TLP
	//     markings security labels.
	//
	// Objects of other types, revoked objects, and references to objects that the feed does not have are skipped. An
	// object with more than 1 MiB of the members above, besides the contents of a report, is refused. Of refused objects
	// without an id, 10,000 are reported.
	FormatSTIX Format = "stix"
)

// Formats returns all formats.
func Formats() []Format {
	return []Format{FormatList, FormatCSV, FormatURLhaus, FormatFeodo, FormatThreatFox, FormatJSONLines, FormatSTIX}
}

// Options configure how [Open] reads a feed. Nil and the zero value detect the format.
type Options struct {
	// Format is the format of the feed. Empty means that Open detects it. FormatCSV is never detected.
	Format Format
	// CSV maps columns to fields. FormatCSV requires it. For the other formats of CSV, it replaces the map of
	// the format, such as [URLhaus]. It must not be modified while the feed is read.
	CSV *CSV
	// Owner is the owner that the feed is imported into, and Feed is a name for the feed, as in "urlhaus". The xid
	// of a group is made of both and of the group's id in the feed. An xid is unique in an instance, so without
	// them a feed could change the groups of another feed or owner by using their ids. Feeds with the same Owner
	// and Feed share their groups; a feed whose Feed changes gets new groups.
	//
	// Both are required if the feed can have groups: for FormatSTIX, for FormatJSONLines without LiteralXIDs, and
	// for the formats of CSV if a column becomes a group.
	Owner, Feed string
	// LiteralXIDs uses the xids of FormatJSONLines as they are, to change or refer to groups of other programs. The
	// feed can then change every group of the instance that the API user can write to, if it knows the xid. Set it
	// only for feeds of your own. Other formats ignore it.
	LiteralXIDs bool
	// Dir is the directory of temporary files, which FormatSTIX needs: up to 4 times the size of the feed and
	// 16 MiB. Empty means that of the system.
	Dir string
}

// A Feed is an open feed. It is not safe for concurrent use.
type Feed struct {
	format  Format
	br      *bufio.Reader
	csv     *CSV
	xid     func(parts ...string) string // nil if xids are literal
	dir     string
	started atomic.Bool
}

// Open detects the format of a feed, unless the options state it. It reads at most 64 KiB from r, and only as
// much as it needs, so r can be a slow stream. Input that is not a feed, such as an archive or an HTML page,
// returns an error that matches [ErrFormat]. Invalid options return a [*threatconnect.ValidationError]. An error
// of r is returned as it is. Open does not close r.
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

// xidsOf returns the function that makes the xids of a feed of the parts of an id. Owner and feed are hashed by
// themselves and in quotes, so that no id of one feed gives an xid of another.
func xidsOf(owner, feed string) func(parts ...string) string {
	own := threatconnect.XID("feed", strconv.Quote(owner), strconv.Quote(feed))
	return func(parts ...string) string { return threatconnect.XID(append([]string{own}, parts...)...) }
}

// Format returns the stated or detected format.
func (f *Feed) Format() Format { return f.format }

// All returns an iterator over the entries of the feed, in their order. It can be ranged over once; a second loop
// gets only an error.
//
// A feed becomes at most 64 times as large: an entry that would take more than 64 times the bytes of its line, or of its
// object with the references to it, in batch files is left out. Constants of a column map are not counted.
//
// For an entry that is left out, the iterator yields a [*LineError] and continues. Any other error ends it: one
// that matches [ErrFormat], or an error of the reader. Memory use is bounded: a line of more than 64 KiB, or
// 4 MiB of JSON, is left out without being held in memory. The temporary files of FormatSTIX are removed when the
// loop ends.
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

// Items returns the items of All for [threatconnect.BatchService.Import]. It can be ranged over once.
//
// OnRefused, if not nil, is called with each entry that is left out, skipped ones included. If it is nil, the
// first entry that breaks a rule ends the iterator with its [*LineError]; skipped entries are left out silently.
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

// maxGrowth is how many times the bytes of a feed may be sent.
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
