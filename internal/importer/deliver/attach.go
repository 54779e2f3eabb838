package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
	"github.com/threatconnect-go/threatconnect/internal/importer/journal"
)

// errGroup reports that content was not uploaded because its group was refused or has an unknown outcome.
var errGroup = errors.New("threatconnect: group content was not uploaded, because the platform did not confirm its group")

// attach uploads the contents of a file's groups one by one.
func (d *Deliverer) attach(ctx context.Context, f *File) (left item.Outcome, err error) {
	for len(f.Contents) > 0 {
		if d.Stopped() {
			return d.Leave(f), nil
		}
		c := f.Contents[0]
		again, err := false, errGroup
		if !c.Refused {
			again, err = d.upload(ctx, c.Content)
		}
		if err != nil && ctx.Err() != nil {
			return d.Leave(f), nil
		}
		if err != nil && again && d.isDown(ctx, max(f.last, 1), err) {
			return d.Leave(f), fmt.Errorf("threatconnect: upload the content of a group: %w", err)
		}
		a := &journal.Attached{File: f.Number}
		switch {
		case err == nil:
			a.Outcome.Contents.Succeeded++
		case c.Refused:
			a.Outcome.Contents.Unprocessed++
		default:
			a.Outcome.Contents.Failed++
		}
		if err != nil {
			_, _, seq := f.At(c.Position)
			d.note(&a.Outcome, item.Failure{Seq: seq, Type: c.Type, Name: c.XID, Content: true, Err: err})
		}
		jerr := d.Journal.Attach(ctx, a)
		f.Contents = f.Contents[1:]
		if jerr != nil {
			f.unrecorded = a.Outcome
			return d.Leave(f), jerr
		}
		if err == nil {
			d.report(Event{File: f.Number, Items: 1, Bytes: c.Size, XID: c.XID}, Attached)
		}
	}
	return left, nil
}

// upload uploads a content and retries through an outage if the content can be read again.
func (d *Deliverer) upload(ctx context.Context, c item.Content) (again bool, err error) {
	var final error
	err = d.retry(ctx, func() error {
		if again, err = d.Platform.Attach(ctx, c); err != nil && !again {
			final = err
			return nil
		}
		return err
	})
	return again, errors.Join(err, final)
}
