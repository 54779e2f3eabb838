package threatconnect

// GroupContent is a document or report that is imported with its content. The content is streamed to the
// platform after the job of the group, and created or replaced there. Content that can be opened again is
// retried for up to BatchConfig.RetryFor.
//
// Each upload is reported as a BatchContentUploaded event, or as a [BatchItemError] whose Content is true. The
// content of a group that the platform refused is not uploaded.
type GroupContent struct {
	Group   Group // a [*Document] or [*Report]; Malware and Password of a document apply
	Content Content
}

func (*GroupContent) batchItem() {}

// check refuses a group without content.
func (g *GroupContent) check() error {
	bad := func(rule, fix string) error {
		return &ValidationError{Field: "group content", Rule: rule, Fix: fix}
	}
	switch {
	case isNil(g.Group):
		return bad("has no group", "")
	case g.Group.Type() != GroupDocument && g.Group.Type() != GroupReport:
		return bad("is of no document or report, because nothing else has content to upload", "add the group as it is")
	case g.Content.Open == nil:
		return errNoContent
	case g.Content.Size < -1:
		return errContentSize
	case allDigits(g.Group.Meta().XID):
		return bad("is of a group whose xid consists of digits only, so that the platform would take it for an id", "make the xid with XID")
	}
	return nil
}
