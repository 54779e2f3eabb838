package feeds

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// urlhaus reads the CSV of URLhaus: id, dateadded, url, url_status, last_online (missing in the
// older form), threat, tags, urlhaus_link, reporter.
//
// Every row becomes a URL: its tags are tags, its link the Source, its threat and status the
// Description, its dates the dates of the outside system. Every kind of threat becomes a Threat
// that its URLs are associated with. The reporter, a person, is left out.
func urlhaus(br *bufio.Reader, xid func(...string) string) iter.Seq2[Entry, error] {
	var threats families
	return rows(br, func(columns []string, entries []Entry) ([]Entry, error) {
		row, err := urlhausRowOf(columns)
		if err != nil {
			return nil, err
		}
		u, err := row.indicator()
		if err != nil {
			return nil, err
		}
		if row.threat == "" {
			return append(entries, Entry{Indicator: u}), nil
		}
		threat, err := ioc.CanonicalGroupName(capitalized(strings.ReplaceAll(row.threat, "_", " ")))
		if err != nil {
			return nil, err
		}
		u.GroupXIDs = []string{threats.xid(threat, func() string { return xid("urlhaus", "threat", threat) }, func(id string) {
			g := threatconnect.NewThreat(threat)
			g.XID = id
			g.Attributes = []threatconnect.Attribute{text("Description", fmt.Sprintf("URLs that are listed as %s.", row.threat))}
			entries = append(entries, Entry{Group: g})
		})}
		return append(entries, Entry{Indicator: u}), nil
	})
}

// urlhausRow is one row, in the newer form of nine columns.
type urlhausRow struct {
	added, url, status, lastOnline, threat, tags, link string
}

func urlhausRowOf(c []string) (urlhausRow, error) {
	for i := range c {
		c[i] = strings.TrimSpace(c[i])
	}
	switch len(c) {
	case 8:
		return urlhausRow{added: c[1], url: c[2], status: c[3], threat: c[4], tags: c[5], link: c[6]}, nil
	case 9:
		return urlhausRow{added: c[1], url: c[2], status: c[3], lastOnline: c[4], threat: c[5], tags: c[6], link: c[7]}, nil
	}
	return urlhausRow{}, fmt.Errorf("has %d columns, want the 8 or 9 of URLhaus", len(c))
}

func (r *urlhausRow) indicator() (*threatconnect.URL, error) {
	canonical, err := ioc.Canonical(ioc.TypeURL, r.url)
	if err != nil {
		return nil, err
	}
	u := threatconnect.NewURL(canonical)
	if u.ExternalDateAdded, err = csvTime(r.added); err != nil {
		return nil, errors.New("dateadded: " + err.Error())
	}
	if u.LastSeen, err = csvTime(r.lastOnline); err != nil {
		return nil, errors.New("last_online: " + err.Error())
	}
	if u.Tags, err = tagsOf(csvTags(r.tags)); err != nil {
		return nil, err
	}
	var words []string
	if r.threat != "" {
		words = append(words, "Threat: "+r.threat+".")
	}
	if r.status != "" {
		words = append(words, "Status: "+r.status+".")
	}
	if len(words) > 0 {
		u.Attributes = append(u.Attributes, text("Description", strings.Join(words, " ")))
	}
	if r.link != "" {
		u.Attributes = append(u.Attributes, text("Source", r.link))
	}
	return u, nil
}

// capitalized returns s with its first letter in upper case.
func capitalized(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
