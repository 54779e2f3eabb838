package threatconnect

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
)

// GroupContent is a document or report that is imported with its content, which is streamed to the
// platform after the job of the group: created, or replaced when there is one. A content that can
// be opened again is tried again, as long as BatchConfig.RetryFor says.
//
// How it went is told by an event for each content that is there and, like the errors of items, by
// a [BatchItemError] whose Content is true for each that is not. The content of a group that the
// platform refused is not uploaded.
type GroupContent struct {
	Group   Group // a [*Document] or [*Report]; a document's Malware and Password play their part
	Content Content
}

func (*GroupContent) batchItem() {}

// check refuses what has no content.
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

// jobFile is a content that is to be uploaded after a job.
type jobFile struct {
	pos     int // of the group in the job
	typ     GroupType
	xid     string
	malware bool
	content Content
	refused bool // the group did not go in
}

func (j *batchJob) addFile(f jobFile) { j.files = append(j.files, f) }

// refuse says that the item at a position did not go in, so that it gets no content.
func (j *batchJob) refuse(pos int) {
	if i, ok := slices.BinarySearchFunc(j.files, pos, func(f jobFile, pos int) int { return cmp.Compare(f.pos, pos) }); ok {
		j.files[i].refused = true
	}
}

// uploadFiles uploads the contents of a job's documents and reports, one after the other.
func (w *BatchWriter) uploadFiles(ctx context.Context, j *batchJob) {
	if len(j.files) == 0 {
		return
	}
	for i := range j.files {
		f := &j.files[i]
		switch {
		case w.stopped():
			w.count(j, func(o *outcome) { o.files.Unprocessed++ })
			continue
		case f.refused:
			w.count(j, func(o *outcome) { o.files.Unprocessed++ })
			w.noteFile(j, f, &ValidationError{Field: "group content", Rule: "was not uploaded, because its group did not go in"})
			continue
		}
		err := w.uploadFile(ctx, f)
		if err != nil && ctx.Err() != nil {
			w.count(j, func(o *outcome) { o.files.Unprocessed++ })
			continue
		}
		if err != nil {
			w.count(j, func(o *outcome) { o.files.Failed++ })
			w.noteFile(j, f, err)
			continue
		}
		w.count(j, func(o *outcome) { o.files.Succeeded++ })
		w.tell(BatchEvent{Job: j.number, Items: 1, Bytes: f.content.Size, XID: f.xid}, BatchContentUploaded)
	}
	if w.stopped() || ctx.Err() != nil {
		return // what is kept of the job says that its contents are still to be uploaded
	}
	j.files = nil
	if err := w.keepProgress(j); err != nil {
		w.jam(err)
	}
}

// uploadFile uploads one content.
func (w *BatchWriter) uploadFile(ctx context.Context, f *jobFile) error {
	if f.content.Open == nil {
		if w.cfg.OpenContent == nil {
			return &ValidationError{Field: "group content", Rule: "was added by a process that has ended and cannot be opened again", Fix: "set BatchConfig.OpenContent"}
		}
		again, err := w.cfg.OpenContent(f.typ, f.xid)
		if err != nil {
			return fmt.Errorf("threatconnect: open a group's content again: %w", err)
		}
		if again.Open == nil || again.Size < -1 {
			return errNoContent
		}
		f.content = again
	}
	content := f.content
	content.Open = func() (io.ReadCloser, error) {
		rc, err := f.content.Open()
		if err != nil {
			err = fmt.Errorf("%w: its content could not be opened: %w", errUnsent, err) // no waiting cures that
		}
		return rc, err
	}
	t := targetOfXID(groupDefOf(f.typ), f.xid, w.cfg.Owner)
	try := func() error { return w.s.c.upload(ctx, t, content, UploadOptions{Malware: f.malware}) }
	if f.content.OneShot {
		return try()
	}
	return w.patiently(ctx, try)
}

// noteFile notes a content that is not there.
func (w *BatchWriter) noteFile(j *batchJob, f *jobFile, err error) {
	_, _, seq := j.item(f.pos)
	w.note(j, BatchItemError{Seq: seq, Type: string(f.typ), Ref: f.xid, Content: true, Err: err})
}
