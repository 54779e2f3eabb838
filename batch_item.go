package threatconnect

import (
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// BatchItem is an item of an import: an [Indicator], a [Group], a [*GroupContent], an [*Association], or an
// item from [MergeItems].
type BatchItem interface {
	batchItem()
}

func (m *IndicatorMeta) batchItem() {}
func (m *GroupMeta) batchItem()     {}
func (a *Association) batchItem()   {}

// Association links two indicators or groups of the import's owner. Each end is part of the import or already
// in the owner. Associations require platform version 7.8.2.
//
// Two indicators can be linked only by an Association. To link an item to a group, set GroupXIDs of the item
// instead, which works on every version.
type Association struct {
	From, To AssociationEnd
	// Type is the name of the association type, for example "URL Host". It is not the path segment in an
	// AssociationType; client.Types.Associations lists both. Type is required between two indicators and must
	// be empty otherwise.
	Type string
}

// AssociationEnd is one end of an [Association]: an indicator by type and summary, a group by xid, or either
// by its ID on the platform.
type AssociationEnd struct {
	Indicator IndicatorType // type of the indicator; empty for a group
	Summary   string        // value of the indicator, in any form that Get accepts
	GroupXID  string        // xid of the group
	GroupType GroupType     // optional
	ID        int64         // instead of Summary or GroupXID
}

// IndicatorEnd returns an indicator as the end of an association.
func IndicatorEnd(ind Indicator) AssociationEnd {
	if isNil(ind) {
		return AssociationEnd{}
	}
	return AssociationEnd{Indicator: ind.Type(), Summary: ind.Summary()}
}

// GroupEnd returns a group as the end of an association, by its xid.
func GroupEnd(xid string) AssociationEnd { return AssociationEnd{GroupXID: xid} }

// write writes an end under keys with the suffix which. It returns the canonical summary of an indicator that
// is named by it.
func (e *AssociationEnd) write(w *wire.Writer, which string) (summary string, err error) {
	bad := func(rule, fix string) error {
		return &ValidationError{Field: "association end " + which, Rule: rule, Fix: fix}
	}
	typ, ref := string(e.Indicator), ""
	switch {
	case e.ID < 0:
		return "", bad("has a negative id", "")
	case e.Indicator != "" && (e.GroupXID != "" || e.GroupType != ""):
		return "", bad("is an indicator and a group", "set Indicator and Summary, or GroupXID")
	case e.Indicator == "" && e.Summary != "":
		return "", bad("has a summary and no indicator type", "set Indicator")
	case e.ID > 0 && (e.Summary != "" || e.GroupXID != ""):
		return "", bad("has an id and a reference", "set one of them")
	case e.ID > 0 && e.Indicator == "":
		typ = string(e.GroupType)
	case e.ID > 0:
	case e.Indicator != "":
		ref, err = summaryOf(e.Indicator, e.Summary)
		summary = ref
	case e.GroupXID != "":
		typ, ref = string(e.GroupType), e.GroupXID
		err = checkText("association xid", ref)
	default:
		return "", bad("names nothing", "set Indicator and Summary, GroupXID, or ID")
	}
	if err = firstError(err, checkEnd("association end "+which, ref)); err != nil {
		return "", err
	}
	text(w, "type_"+which, typ)
	if e.ID > 0 {
		w.Key("id_" + which)
		w.Int64(e.ID)
	} else {
		text(w, "ref_"+which, ref)
	}
	return summary, nil
}

// maxEnd is the largest size in bytes of a name in an association or reference. Associations that wait for a
// group keep both names in memory and are sorted by them.
const maxEnd = 64 << 10

func checkEnd(field, name string) error {
	if len(name) > maxEnd {
		return &ValidationError{Field: field, Rule: "is longer than 65,536 bytes and the end of an association"}
	}
	return nil
}

// key returns the end for item.LinkKey. summary is the canonical summary of an indicator.
func (e *AssociationEnd) key(summary string) item.End {
	switch {
	case e.ID > 0:
		return item.End{Type: string(e.Indicator), Name: "#" + strconv.FormatInt(e.ID, 10)}
	case e.Indicator != "":
		return item.End{Type: string(e.Indicator), Name: "=" + summary}
	}
	return item.End{Name: "=" + e.GroupXID}
}

// summaryOf returns the summary of a referenced indicator as batch files contain it. A summary of an unknown
// type is not changed.
func summaryOf(t IndicatorType, summary string) (string, error) {
	def := indicatorDefOf(t)
	if def == nil {
		return verbatim(string(t), summary)
	}
	return def.summaryOf(summary)
}

// check returns an error if the type of an association is missing between two indicators, or set otherwise.
func (a *Association) check() error {
	both := a.From.Indicator != "" && a.To.Indicator != ""
	switch {
	case both && strings.TrimSpace(a.Type) == "":
		return &ValidationError{Field: "association type", Rule: "is missing between two indicators", Fix: "set it to the name of an association type of the instance, for example URL Host"}
	case !both && a.Type != "":
		return &ValidationError{Field: "association type", Rule: "is set although one end is a group", Fix: "leave it empty"}
	}
	return checkText("association type", a.Type)
}

// GroupContent is a document or report that is imported with its content. Add the group as a GroupContent
// instead of adding it alone.
//
// The content is streamed to the platform after the job of the group, and replaces existing content. Content
// that can be opened again is retried for up to BatchConfig.RetryFor. Each upload is reported as a
// BatchContentUploaded event, or as a [BatchItemError] whose Content is true. If the platform refuses the
// group, its content is not uploaded.
type GroupContent struct {
	Group   Group // a *Document, whose Malware and Password apply, or a *Report
	Content Content
}

func (*GroupContent) batchItem() {}

// check returns an error if the group cannot have content or has none.
func (g *GroupContent) check() error {
	bad := func(rule, fix string) error {
		return &ValidationError{Field: "group content", Rule: rule, Fix: fix}
	}
	switch {
	case isNil(g.Group):
		return bad("has no group", "")
	case g.Group.Type() != GroupDocument && g.Group.Type() != GroupReport:
		return bad("does not belong to a document or report", "add the group itself")
	case g.Content.Open == nil:
		return errNoContent
	case g.Content.Size < -1:
		return errContentSize
	case allDigits(g.Group.Meta().XID):
		return bad("belongs to a group whose xid has only digits, which the platform would read as an id", "compute the xid with XID")
	}
	return nil
}
