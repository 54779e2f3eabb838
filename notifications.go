package threatconnect

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// NotificationPriority is the priority of a notification. It is not case-sensitive.
type NotificationPriority string

// The priorities of notifications.
const (
	PriorityLow    NotificationPriority = "Low"
	PriorityMedium NotificationPriority = "Medium"
	PriorityHigh   NotificationPriority = "High"
)

var notificationPriorities = []NotificationPriority{PriorityLow, PriorityMedium, PriorityHigh}

// Notification is a message to users of the platform. Exactly one of Recipients, Organization and OwnerID
// must be set. API users and banned members never receive notifications.
type Notification struct {
	Type     string               `json:"notificationType"` // required; users subscribe to it; up to 50 characters, not "System"
	Priority NotificationPriority `json:"priority"`         // required
	Message  string               `json:"message"`          // required; Markdown, up to 64 KiB

	Recipients   []string `json:"recipients,omitzero"`     // user names
	Organization bool     `json:"isOrganization,omitzero"` // all users of the API user's organization
	OwnerID      *int64   `json:"ownerId,omitzero"`        // all users of an owner
}

const (
	maxNotificationType    = 50
	maxNotificationMessage = 64 << 10 // bytes
)

// NotificationsService sends messages to users of the platform. The client's owner is ignored. The service is safe for
// concurrent use.
type NotificationsService struct{ service }

// Send sends a notification. If the platform does not know a recipient, no user receives the notification and the error
// matches [ErrBadRequest]. Send costs one request and is not retried after an unknown outcome, because users could
// receive the notification twice.
//
//	API: POST /v2/notifications
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/notifications/notifications.html
func (s NotificationsService) Send(ctx context.Context, notification Notification) error {
	body, err := notification.body()
	if err != nil {
		return err
	}
	_, err = s.c.exchange(ctx, &call{
		method: http.MethodPost,
		route:  at("v2", "notifications"),
		body:   jsonBody(body),
	}, nil, nil)
	return err
}

// body checks the notification and returns the body of its request.
func (n *Notification) body() ([]byte, error) {
	typ, err := trimmedName("notification type", n.Type, maxNotificationType)
	if err != nil {
		return nil, err
	}
	priority := n.Priority
	for _, p := range notificationPriorities {
		if strings.EqualFold(string(p), string(priority)) {
			priority = p
		}
	}
	switch {
	case strings.EqualFold(typ, "System"):
		return nil, &ValidationError{Field: "notification type", Rule: "is the platform's own", Fix: "give it another name"}
	case priority == "":
		return nil, &ValidationError{Field: "notification priority", Rule: "is missing", Fix: "use PriorityLow, PriorityMedium or PriorityHigh"}
	case strings.TrimSpace(n.Message) == "":
		return nil, &ValidationError{Field: "notification message", Rule: "is empty"}
	case len(n.Message) > maxNotificationMessage:
		return nil, &ValidationError{Field: "notification message", Rule: "is larger than 64 KiB", Fix: "shorten it, or link to the rest"}
	case !utf8.ValidString(n.Message):
		return nil, &ValidationError{Field: "notification message", Rule: "is not valid UTF-8"}
	}
	if err := oneOf("notification priority", priority, notificationPriorities); err != nil {
		return nil, err
	}
	recipients, err := n.audience()
	if err != nil {
		return nil, err
	}
	var w wire.Writer
	w.BeginObject()
	w.Key("notificationType")
	w.Text(typ)
	w.Key("priority")
	w.Text(string(priority))
	w.Key("message")
	w.Text(n.Message)
	switch {
	case n.Organization:
		w.Key("isOrganization")
		w.Bool(true)
	case n.OwnerID != nil:
		w.Key("ownerId")
		w.Int64(*n.OwnerID)
	default:
		w.Key("recipients")
		w.Text(recipients)
	}
	w.EndObject()
	return w.Buf, nil
}

// audience checks that exactly one of the three audiences is set and returns the recipients, joined with commas.
func (n *Notification) audience() (string, error) {
	named := 0
	for _, is := range []bool{len(n.Recipients) > 0, n.Organization, n.OwnerID != nil} {
		if is {
			named++
		}
	}
	if named != 1 {
		return "", &ValidationError{Field: "notification audience", Rule: "must be exactly one of Recipients, Organization and OwnerID", Fix: "send one notification for each audience"}
	}
	if n.OwnerID != nil && *n.OwnerID < 0 {
		return "", &ValidationError{Field: "notification owner id", Rule: "must be 0 or more"}
	}
	names := make([]string, len(n.Recipients))
	for i, name := range n.Recipients {
		name, err := trimmedName("notification recipient", name, 0)
		if err != nil {
			return "", err
		}
		if strings.Contains(name, ",") {
			return "", &ValidationError{Field: "notification recipient", Rule: "has a comma in it, which the platform reads as the start of the next one", Fix: "give every user an element"}
		}
		names[i] = name
	}
	return strings.Join(names, ","), nil
}
