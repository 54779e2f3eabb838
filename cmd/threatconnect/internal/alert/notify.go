package alert

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// The platform cannot send a notification exactly once: it does not recognize duplicates, and has no
// compare-and-swap. Therefore every alert has a note on its event: an attribute with the reasons, the
// digest of the body and one of the states below.
//
//   - The state is sending before a notification is sent, and sent after the platform has confirmed it.
//   - A run that finds sent sends nothing. A run that finds notSent takes the note over.
//   - A run that finds sending waits for the other run, up to lease. If the state is still sending, the
//     other run has died or does not know the outcome. Then this run takes the note over, sends the
//     notification again, and logs a warning.
//   - Runs that create a note at the same time agree on the note with the lowest ID. If runs take a note
//     over at the same time, the last one to write sends.
//
// Therefore the users are notified at least once if the alert is sent until it succeeds, and again only
// after an unknown outcome. This assumes that a process reads the earlier writes of others, that IDs
// increase, and that clocks differ from the platform's by less than lease.
const (
	sending = "sending" // the outcome is unknown until the state changes
	sent    = "sent"
	notSent = "not sent"
)

const (
	lease    = 30 * time.Second // time after which a note in the state sending is taken over
	settle   = 5 * time.Second  // time after which a run that takes a note over sees other runs that do
	sendTime = 20 * time.Second // limits a notification; less than lease
	noteTime = 10 * time.Second // limits the update of a note when ctx has ended
	pollTime = 2 * time.Second  // between two reads of the note of another run
)

// note is an attribute of an event that describes an alert and the state of its notification.
type note struct {
	id      int64  // 0 if there is none
	text    string // without the digest and the state
	state   string
	claim   string // of the run that has taken the note over; empty if none has
	changed time.Time
}

// The last two lines of a note. Foreign text never begins a line.
const (
	digestPrefix = "Body SHA-256: "
	statePrefix  = "Notification: "
)

// readNote returns the note about an alert with this body.
func (h *handler) readNote(ctx context.Context, event threatconnect.GroupRef, a *alert) (note, error) {
	attributes, err := h.client.Attributes.On(ctx, event)
	return firstNote(attributes, h.attributeType, a), err
}

// firstNote returns the note about an alert that has the lowest ID.
func firstNote(attributes []threatconnect.Attribute, typ string, a *alert) (first note) {
	for _, attribute := range attributes {
		text, last, found := strings.Cut(attribute.Value, "\n"+digestPrefix+a.digest)
		if attribute.Type != typ || !found || first.id != 0 && first.id < attribute.ID {
			continue
		}
		first = note{id: attribute.ID, text: text, state: sending, changed: attribute.LastModified}
		if first.changed.IsZero() {
			first.changed = attribute.DateAdded
		}
		state := strings.TrimPrefix(strings.TrimSpace(last), statePrefix)
		if state == sent || state == notSent {
			first.state = state
		}
		_, first.claim, _ = strings.Cut(state, sending+" ")
	}
	return first
}

// value returns the value of the attribute with a state.
func (n note) value(a *alert, state string) string {
	return n.text + "\n" + digestPrefix + a.digest + "\n" + statePrefix + state + "\n"
}

// claim writes a note about the alert, unless there is one. mine is true if this run sends the notification,
// because the note is its own.
func (h *handler) claim(ctx context.Context, event threatconnect.GroupRef, a *alert, r *report, n note) (_ note, mine bool, err error) {
	if n.id != 0 {
		return n, false, nil
	}
	n = note{text: r.describe(h.maxNote - len(note{}.value(a, sending+" "+newClaim()))), state: sending}
	if h.notify == nobody {
		n.state = notSent
	}
	added, err := h.client.Attributes.Add(ctx, event, threatconnect.Attribute{
		Type: h.attributeType, Value: n.value(a, n.state), Displayed: new(true),
	})
	if err != nil {
		return n, false, err
	}
	n.id = added.ID
	first, err := h.readNote(ctx, event, a)
	if err != nil || first.id == 0 || first.id == n.id {
		return n, true, err
	}
	return first, false, h.client.Attributes.Remove(ctx, event, n.id)
}

// takeOver makes this run the one that sends the notification. mine is false if another run has taken the
// note over as well, and later.
func (h *handler) takeOver(ctx context.Context, event threatconnect.GroupRef, a *alert, n note) (_ note, mine bool, err error) {
	claim := newClaim()
	if err := h.setState(ctx, event, a, n, sending+" "+claim); err != nil {
		return n, false, err
	}
	select {
	case <-time.After(settle):
	case <-ctx.Done():
		return n, false, ctx.Err()
	}
	n, err = h.readNote(ctx, event, a)
	return n, n.claim == claim, err
}

func newClaim() string { return rand.Text()[:8] }

// await waits up to lease until a note of another run is no longer in the state sending.
func (h *handler) await(ctx context.Context, event threatconnect.GroupRef, a *alert, n note) (note, error) {
	start := time.Now()
	for n.state == sending {
		left := lease - max(time.Since(n.changed), time.Since(start))
		if left <= 0 {
			break
		}
		select {
		case <-time.After(min(left, pollTime)):
		case <-ctx.Done():
			return n, ctx.Err()
		}
		if now, err := h.readNote(ctx, event, a); err != nil {
			return n, err
		} else if now.id != 0 {
			n = now
		}
	}
	return n, nil
}

// notifyUsers notifies the users of the alert, unless its note says that they have been notified.
func (h *handler) notifyUsers(ctx context.Context, event threatconnect.GroupRef, a *alert, r *report, n note) error {
	n, mine, err := h.claim(ctx, event, a, r, n)
	if err != nil {
		return during("describe the event", err)
	}
	if h.notify == nobody {
		return nil
	}
	r.Notification.To = h.notify
	for !mine {
		if n, err = h.await(ctx, event, a, n); err != nil {
			return during("wait for the notification of another run", err)
		}
		if n.state == sent {
			r.Notification.Outcome, r.Notification.Repeated = sentBefore, false
			return nil
		}
		r.Notification.Repeated = n.state == sending
		if n, mine, err = h.takeOver(ctx, event, a, n); err != nil {
			return during("describe the event", err)
		}
	}
	if r.Notification.Repeated {
		h.log.WarnContext(ctx, "outcome of an earlier notification is unknown, sending it again", "event", r.Event.ID)
	}
	limited, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	err = h.client.Notifications.Send(limited, h.notification(r))
	ending, cancelEnding := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancelEnding()
	switch {
	case err == nil:
		r.Notification.Outcome = sent
		return during("record that the users were notified", h.setState(ending, event, a, n, sent))
	case errors.Is(err, threatconnect.ErrOutcomeUnknown) || statusOf(err) >= 500:
		r.Notification.Outcome = unknown
		return during("notify the users", err)
	}
	r.Notification.Outcome = notSent
	return errors.Join(during("notify the users", err), during("record that the users were not notified", h.setState(ending, event, a, n, notSent)))
}

func (h *handler) setState(ctx context.Context, event threatconnect.GroupRef, a *alert, n note, state string) error {
	_, err := h.client.Attributes.Update(ctx, event, n.id, threatconnect.AttributeUpdate{Value: new(n.value(a, state))})
	return err
}

// Values of --notify that are not user names.
const (
	organization = "organization"
	nobody       = "none"
)

// notification returns the message to the users. It is Markdown, and an alert can contain anything.
func (h *handler) notification(r *report) threatconnect.Notification {
	n := threatconnect.Notification{
		Type: h.notificationType, Priority: h.priority, Organization: h.notify == organization,
		Message: fmt.Sprintf("%s\n\nAlert %s: %s for review in %s, event %d.\n\n%s", h.notificationText, code(r.Alert),
			cli.Count(int64(r.count((*verdict).isStored)), "indicator"), code(r.Owner), r.Event.ID, r.describe(maxDescription)),
	}
	n.Message = strings.TrimLeft(n.Message, "\n")
	if !n.Organization {
		n.Recipients = h.users
	}
	return n
}

// Limits of a description. With its introduction, one of maxDescription fits into a notification.
const (
	maxDescription = 60_000 // bytes
	minDescription = 500    // bytes
	maxText        = 2_000  // bytes of --notification-text
	maxValue       = 500    // characters of a value
)

// describe returns the reasons to review an alert as Markdown of up to limit bytes. Indicators that other
// owners have come first: an alert can have any number of unknown ones.
func (r *report) describe(limit int) string {
	const head = "Reasons to review this alert:\n"
	b := []byte(head)
	reasons := slices.DeleteFunc(slices.Clone(r.Indicators), func(v *verdict) bool { return !v.isReason() })
	slices.SortStableFunc(reasons, func(v, w *verdict) int {
		return cmp.Compare(min(len(w.Owners), 1), min(len(v.Owners), 1))
	})
	left := len(reasons)
	for _, v := range reasons {
		reason := v.Reason
		if v.refused {
			reason = "refused by the platform"
		}
		value := " " + code(shorten(v.Indicator, maxValue))
		if v.Decision == failed && holdsText(v.Type) {
			value = "" // a firewall that refuses it would refuse this text as well
		}
		line := fmt.Sprintf("- %s%s, from %s, %s\n", v.Type, value, code(v.Field), reason)
		rest := fmt.Sprintf("- and %d more\n", left)
		if len(b)+len(line)+len(rest) > limit {
			return string(b) + rest
		}
		b = append(b, line...)
		left--
	}
	return string(b)
}

// code makes foreign text inert in Markdown: without formatting, links, invisible characters and characters that
// change the direction of the text.
func code(s string) string { return "`" + strings.ReplaceAll(cli.Clean(s), "`", "'") + "`" }
