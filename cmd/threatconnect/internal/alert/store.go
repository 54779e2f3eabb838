package alert

import (
	"context"
	"errors"

	"github.com/threatconnect-go/threatconnect"
)

// act stores the event of an alert and its indicators, and notifies the users. An error about one indicator affects
// neither the others nor the notification.
func (h *handler) act(ctx context.Context, a *alert, r *report) error {
	event, err := h.event(ctx, a, r)
	if err != nil {
		return during("store the event", err)
	}
	n, err := h.readNote(ctx, event, a)
	if err != nil {
		return during("read the attributes of the event", err)
	}
	var tagged error
	if n.id == 0 { // otherwise the tags were added before, and may have been removed since
		tagged = during("tag the event", h.client.Tags.Add(ctx, event, h.tags...))
	}
	stored := h.store(ctx, r)
	linked := h.associate(ctx, event, r)
	return errors.Join(tagged, stored, linked, h.notifyUsers(ctx, event, a, r, n))
}

// event finds the event of the alert, or creates it. The title is foreign text: if the platform or a firewall refuses
// it, the event gets a name without it.
func (h *handler) event(ctx context.Context, a *alert, r *report) (threatconnect.GroupRef, error) {
	name := a.name()
	first, err := h.firstEvent(ctx, name)
	if refusesText(err) {
		name, err = a.plainName(), nil
		r.Alert = name
	}
	if err == nil && first == 0 { // perhaps the name was refused before
		if first, err = h.firstEvent(ctx, a.plainName()); first != 0 {
			r.Alert = a.plainName()
		}
	}
	switch {
	case err != nil:
		return threatconnect.GroupRef{}, err
	case first != 0:
		r.Event = &eventReport{ID: first, Existed: true}
		return h.refOf(first), nil
	}
	ref, err := h.createEvent(ctx, name, a, r)
	if refusesText(err) && name != a.plainName() {
		r.Alert = a.plainName()
		return h.createEvent(ctx, r.Alert, a, r)
	}
	return ref, err
}

// createEvent creates the event of the alert. Processes that create it at the same time agree on the event
// with the lowest ID, and delete those that they have created themselves.
func (h *handler) createEvent(ctx context.Context, name string, a *alert, r *report) (threatconnect.GroupRef, error) {
	event := threatconnect.NewEvent(name, a.when)
	event.Status = h.eventStatus
	events := h.client.InOwner(h.owner).Groups.Events
	event, err := events.Create(ctx, event)
	if err != nil {
		return threatconnect.GroupRef{}, err
	}
	r.Event = &eventReport{ID: event.ID}
	first, err := h.firstEvent(ctx, name)
	if err != nil {
		return threatconnect.GroupRef{}, err
	}
	if first != 0 && first != event.ID {
		r.Event.ID, r.Event.Existed = first, true
		err = during("delete a second event of the alert", events.Delete(ctx, event.ID))
	}
	return h.refOf(r.Event.ID), err
}

// firstEvent returns the lowest ID of the events with a name, and 0 if there is none.
func (h *handler) firstEvent(ctx context.Context, name string) (int64, error) {
	var first int64
	filters := threatconnect.Filters{threatconnect.ByName.Is(name)}
	for e, err := range h.client.InOwner(h.owner).Groups.Events.All(ctx, &threatconnect.GroupListOptions{Filters: filters}) {
		if err != nil {
			return 0, err
		}
		if e.Name == name && (first == 0 || e.ID < first) {
			first = e.ID
		}
	}
	return first, nil
}

// store creates the indicators that the owner does not have. It stops at the first error that does not
// concern a single indicator.
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

// associate associates the stored indicators with the event. It stops at the first error that does not
// concern a single indicator.
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
			v.Reason += ", but the platform refuses to associate it with the event"
		default:
			if err = v.fail("associate an indicator with the event", err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *handler) refOf(eventID int64) threatconnect.GroupRef {
	return threatconnect.GroupRef{Type: threatconnect.GroupEvent, ID: eventID, Owner: h.owner}
}

// refTo returns a reference to the indicator of a verdict in the owner that alerts are stored in.
func (h *handler) refTo(v *verdict) threatconnect.IndicatorRef {
	return threatconnect.IndicatorRef{Type: v.Type, Value: v.Indicator, Owner: h.owner}
}
