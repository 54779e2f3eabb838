package alert

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// act stores the event of an alert and its indicators, and notifies the users. What happens to one
// indicator changes nothing for the others, and the users are notified whatever happens to the
// indicators. The error is about more than one of them.
func (h *handler) act(ctx context.Context, a *alert, r *report) error {
	event, err := h.event(ctx, a, r)
	if err != nil {
		return during("store the event", err)
	}
	var tagged, notified, described error
	if !r.Event.Existed {
		tagged = during("tag the event", h.client.Tags.Add(ctx, event, h.tags...))
	}
	stored := h.store(ctx, r)
	if !r.Event.finished || slices.ContainsFunc(r.Indicators, func(v *verdict) bool { return v.created }) {
		notified = during("notify the users", h.sendNotification(ctx, r))
	}
	if notified == nil {
		described = during("describe the event", h.finish(ctx, a, r))
	}
	return errors.Join(tagged, stored, notified, described, h.associate(ctx, event, r))
}

// during returns err with the action that it ended, or nil.
func during(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}

// store puts what matters into the owner. What is there already is left as it is. It stops at the first
// error that is not about one indicator.
func (h *handler) store(ctx context.Context, r *report) error {
	for _, v := range r.Indicators {
		if v.Decision != store {
			continue
		}
		m := v.ind.Meta()
		m.Rating, m.Confidence = &h.rating, &h.confidence
		_, err := h.client.InOwner(h.owner).Indicators.Create(ctx, v.ind)
		switch {
		case err == nil:
			v.created = true
			err = v.fail("tag an indicator", h.client.Tags.Add(ctx, h.refTo(v), h.tags...))
		case isRefusal(err):
			v.refuse("cannot be stored", err)
			v.refused, err = true, nil
		default:
			err = v.fail("store an indicator", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// associate associates the indicators with the event. It stops at the first error that is not about one
// of them.
func (h *handler) associate(ctx context.Context, event threatconnect.GroupRef, r *report) error {
	for _, v := range r.Indicators {
		if !v.isStored() {
			continue
		}
		err := h.client.Associations.Link(ctx, event, h.refTo(v))
		switch {
		case err == nil:
			v.Linked = true
			r.Event.Linked++
		case isRefusal(err):
			v.Because += ", but the platform refuses to associate it with the event"
		default:
			if err = v.fail("associate an indicator with the event", err); err != nil {
				return err
			}
		}
	}
	return nil
}

// event finds the event of the alert, or creates it.
func (h *handler) event(ctx context.Context, a *alert, r *report) (threatconnect.GroupRef, error) {
	name := a.name()
	filters := threatconnect.Filters{threatconnect.ByName.Is(name)}
	for e, err := range h.client.InOwner(h.owner).Groups.Events.All(ctx, &threatconnect.GroupListOptions{Filters: filters}) {
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
	event.Status = threatconnect.EventNeedsReview
	event, err := h.client.InOwner(h.owner).Groups.Events.Create(ctx, event)
	if err != nil {
		return threatconnect.GroupRef{}, err
	}
	r.Event = &eventReport{ID: event.ID, Name: name}
	return h.refOf(event.ID), nil
}

// description is the type of the attribute that is put on an event once the users are notified. It ends
// with the digest of the alert's body. Without a description that has the digest, the users do not know of
// the alert, or only of another one with the same name.
const description = "Description"

// finish notes on the event that the users were notified.
func (h *handler) finish(ctx context.Context, a *alert, r *report) error {
	if r.Event.finished {
		return nil
	}
	_, err := h.client.Attributes.Add(ctx, h.refOf(r.Event.ID), threatconnect.Attribute{
		Type: description, Value: describe(r) + "\n" + a.digestLine() + "\n", Displayed: new(true),
	})
	return err
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

// refTo returns a reference to the indicator of a verdict in the owner that is stored in.
func (h *handler) refTo(v *verdict) threatconnect.IndicatorRef {
	return threatconnect.IndicatorRef{Type: v.Type, Value: v.Indicator, Owner: h.owner}
}

// Limits of a description, which fits into an attribute and, with an introduction, into a notification.
const (
	maxDescription = 60_000 // bytes
	maxValue       = 500    // characters of a value
)

// describe returns the reasons to look at an alert, as Markdown.
func describe(r *report) string {
	b := []byte("Why this alert is worth a look:\n")
	left := r.count((*verdict).matters)
	for _, v := range r.Indicators {
		if !v.matters() {
			continue
		}
		because := v.Because
		if v.refused {
			because = "refused by the platform"
		}
		line := fmt.Sprintf("- %s %s, from %s, %s\n", v.Type, code(cut(v.Indicator, maxValue)), code(v.Field), because)
		if len(b)+len(line) > maxDescription {
			return fmt.Sprintf("%s- and %d more\n", b, left)
		}
		b = append(b, line...)
		left--
	}
	return string(b)
}

// code makes foreign text harmless in Markdown: nobody can click it, and it formats nothing.
func code(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }
