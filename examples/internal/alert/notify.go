package alert

import (
	"context"
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// notificationType is what users subscribe to.
const notificationType = "Suspicious Alert"

// sendNotification tells the users that there is something to review.
func (h *handler) sendNotification(ctx context.Context, r *report) error {
	n := threatconnect.Notification{
		Type:     notificationType,
		Priority: threatconnect.NotificationPriority(h.priority),
		Message:  message(r),
	}
	to := "the organization"
	switch h.notify {
	case "none":
		return nil
	case "organization":
		n.Organization = true
	default:
		for user := range strings.SplitSeq(h.notify, ",") {
			if user = strings.TrimSpace(user); user != "" {
				n.Recipients = append(n.Recipients, user)
			}
		}
		to = strings.Join(n.Recipients, ", ")
	}
	if err := h.client.Notifications.Send(ctx, n); err != nil {
		return err
	}
	r.Notification = to
	return nil
}

// message is what the users read. It is Markdown, and an alert can hold anything.
func message(r *report) string {
	return fmt.Sprintf("Alert %s: %s for review in %s, event %d.\n\n%s",
		code(r.Alert), indicators(r.count((*verdict).isStored)), code(r.Owner), r.Event.ID, describe(r))
}
