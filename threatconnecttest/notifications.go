package threatconnecttest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// NotificationRecord is a notification sent by a client.
type NotificationRecord struct {
	Type         string
	Priority     string // as received
	Message      string
	Recipients   []string // user names
	Organization bool     // whether it was sent to the API user's organization
	Owner        string   // name of the receiving owner
}

// Notifications returns the notifications sent by clients, oldest first.
func (s *Server) Notifications() []NotificationRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.notifications)
}

func notificationRoutes() []route {
	return []route{{method: "POST", pattern: "/v2/notifications", handle: fromBody((*call).notify)}}
}

const (
	maxNotificationType    = 50
	maxNotificationMessage = 64 << 10
)

func (c *call) notify(f fields) *answer {
	var n NotificationRecord
	n.Type, _ = f.text("notificationType")
	n.Priority, _ = f.text("priority")
	n.Message, _ = f.text("message")
	n.Organization, _ = f.flag("isOrganization")
	if length := utf8.RuneCountInString(n.Type); length < 1 || length > maxNotificationType || n.Type == "System" {
		return fail(http.StatusBadRequest, "The notificationType is invalid")
	}
	if !slices.Contains([]string{"low", "medium", "high"}, strings.ToLower(n.Priority)) {
		return fail(http.StatusBadRequest, "The priority is invalid")
	}
	if n.Message == "" || len(n.Message) > maxNotificationMessage {
		return fail(http.StatusBadRequest, "The message is invalid")
	}
	if id, ok := f.text("ownerId"); ok {
		number, err := strconv.ParseInt(id, 10, 64)
		o := c.ownerByID(number)
		if err != nil || o == nil {
			return fail(http.StatusBadRequest, "The ownerId is invalid")
		}
		n.Owner = o.Name
	}
	names, some := f.text("recipients")
	if some {
		n.Recipients = strings.Split(names, ",")
	}
	if !some && !n.Organization && n.Owner == "" {
		return fail(http.StatusBadRequest, "The notification has no recipients")
	}
	for _, name := range n.Recipients {
		if c.member(name) == nil {
			return fail(http.StatusBadRequest, "Unknown user: "+name)
		}
	}
	c.notifications = append(c.notifications, n)
	return success(http.StatusOK)
}
