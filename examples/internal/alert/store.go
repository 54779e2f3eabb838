package alert

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// store puts what matters into the owner: an event for the alert, and the indicators associated with
// it. What is there already is found again and left as it is.
func (h *handler) store(ctx context.Context, a *alert, r *report) error {
	event, err := h.event(ctx, a, r)
	if err != nil {
		return fmt.Errorf("store the event: %w", err)
	}
	for _, v := range r.Indicators {
		if !v.matters() {
			continue
		}
		ref := threatconnect.IndicatorRef{Type: v.Type, Value: v.Indicator, Owner: h.owner}
		if v.Decision == store {
			m := v.ind.Meta()
			m.Owner.Name, m.Rating, m.Confidence = h.owner, &h.rating, &h.confidence
			if _, err := h.client.Indicators.Create(ctx, v.ind); err != nil {
				return fmt.Errorf("store an indicator: %w", err)
			}
			if err := h.client.Tags.Add(ctx, ref, h.tags...); err != nil {
				return fmt.Errorf("tag an indicator: %w", err)
			}
		}
		if err := h.client.Associations.Link(ctx, event, ref); err != nil {
			return fmt.Errorf("associate an indicator with the event: %w", err)
		}
		v.Linked = true
		r.Event.Linked++
	}
	return nil
}

// event finds the event of the alert, or creates it.
func (h *handler) event(ctx context.Context, a *alert, r *report) (threatconnect.GroupRef, error) {
	name := a.name()
	filters := threatconnect.Filters{threatconnect.ByName.Is(name)}
	for e, err := range h.client.Groups.Events.All(ctx, &threatconnect.GroupListOptions{Owner: h.owner, Filters: filters}) {
		if err != nil {
			return threatconnect.GroupRef{}, err
		}
		if e.Name == name {
			r.Event = &eventReport{ID: e.ID, Name: name, Existed: true}
			attributes, err := h.client.Attributes.On(ctx, h.refOf(e.ID))
			r.Event.finished = slices.ContainsFunc(attributes, a.isDescribedIn)
			return h.refOf(e.ID), err
		}
	}
	event := threatconnect.NewEvent(name, a.when)
	event.Owner.Name, event.Status = h.owner, threatconnect.EventNeedsReview
	event, err := h.client.Groups.Events.Create(ctx, event)
	if err != nil {
		return threatconnect.GroupRef{}, err
	}
	r.Event = &eventReport{ID: event.ID, Name: name}
	ref := h.refOf(event.ID)
	return ref, h.client.Tags.Add(ctx, ref, h.tags...)
}

// description is the type of the attribute that is put on an event last of all. It ends with the digest
// of the alert's body: an event without the digest is of an alert that was not finished, or of another
// alert with the same name.
const description = "Description"

// finish notes on the event that everything is done.
func (h *handler) finish(ctx context.Context, a *alert, r *report) error {
	if r.Event.finished {
		return nil
	}
	_, err := h.client.Attributes.Add(ctx, h.refOf(r.Event.ID), threatconnect.Attribute{
		Type: description, Value: describe(r) + "\n" + a.digestLine() + "\n", Displayed: new(true),
	})
	if err != nil {
		return fmt.Errorf("describe the event: %w", err)
	}
	return nil
}

func (a *alert) digestLine() string { return "Body SHA-256: " + a.digest }

// isDescribedIn reports whether an attribute describes the alert with this body. The digest has to be a
// line of its own, because the other lines hold values from alerts.
func (a *alert) isDescribedIn(attribute threatconnect.Attribute) bool {
	for line := range strings.Lines(attribute.Value) {
		if strings.TrimSpace(line) == a.digestLine() {
			return true
		}
	}
	return false
}

func (h *handler) refOf(eventID int64) threatconnect.GroupRef {
	return threatconnect.GroupRef{Type: threatconnect.GroupEvent, ID: eventID, Owner: h.owner}
}

// describe is what the event says about itself.
func describe(r *report) string {
	var b strings.Builder
	b.WriteString("Why this alert is worth a look:\n")
	for _, v := range r.Indicators {
		if v.matters() {
			fmt.Fprintf(&b, "- %s %s, from %s, %s\n", v.Type, code(v.Indicator), code(v.Field), v.Because)
		}
	}
	return b.String()
}

// code makes foreign text harmless in Markdown: nobody can click it, and it formats nothing.
func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }
