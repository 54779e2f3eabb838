package threatconnect_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestNotificationsAreSentToOneAudience(t *testing.T) {
	t.Parallel()
	client := scripted(t,
		wiretest.Want{Method: "POST", Target: "/v2/notifications",
			Body: `{"notificationType":"Alert","priority":"High","message":"**Look**\n","recipients":"a@example.com,b@example.com"}`},
		wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"Alert","priority":"Low","message":"m","isOrganization":true}`},
		wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"Alert","priority":"Medium","message":"m","ownerId":0}`},
	)
	for _, n := range []threatconnect.Notification{
		{Type: " Alert ", Priority: "hIGH", Message: "**Look**\n", Recipients: []string{"a@example.com", " b@example.com"}},
		{Type: "Alert", Priority: threatconnect.PriorityLow, Message: "m", Organization: true},
		{Type: "Alert", Priority: threatconnect.PriorityMedium, Message: "m", OwnerID: new(int64(0))},
	} {
		require.NoError(t, client.Notifications.Send(t.Context(), n))
	}
}

func TestNotificationThatThePlatformWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	s := scripted(t).Notifications
	good := threatconnect.Notification{Type: strings.Repeat("\u00fc", 50), Priority: "low", Message: strings.Repeat("m", 64<<10), Organization: true}
	for name, c := range map[string]struct {
		change func(*threatconnect.Notification)
		field  string
	}{
		"no type":             {func(n *threatconnect.Notification) { n.Type = "" }, "notification type"},
		"51 characters":       {func(n *threatconnect.Notification) { n.Type += "x" }, "notification type"},
		"the type System":     {func(n *threatconnect.Notification) { n.Type = " system" }, "notification type"},
		"no priority":         {func(n *threatconnect.Notification) { n.Priority = "" }, "notification priority"},
		"an unknown priority": {func(n *threatconnect.Notification) { n.Priority = "Urgent" }, "notification priority"},
		"no message":          {func(n *threatconnect.Notification) { n.Message = "\n" }, "notification message"},
		"a byte too much":     {func(n *threatconnect.Notification) { n.Message += "m" }, "notification message"},
		"binary":              {func(n *threatconnect.Notification) { n.Message = "\xff" }, "notification message"},
		"no audience":         {func(n *threatconnect.Notification) { n.Organization = false }, "notification audience"},
		"two audiences":       {func(n *threatconnect.Notification) { n.OwnerID = new(int64(1)) }, "notification audience"},
		"three audiences": {func(n *threatconnect.Notification) { n.OwnerID, n.Recipients = new(int64(1)), []string{"a"} },
			"notification audience"},
		"a negative owner": {func(n *threatconnect.Notification) { n.Organization, n.OwnerID = false, new(int64(-1)) }, "notification owner id"},
		"a blank recipient": {func(n *threatconnect.Notification) { n.Organization, n.Recipients = false, []string{"secret", ""} },
			"notification recipient"},
		"a comma in a recipient": {func(n *threatconnect.Notification) { n.Organization, n.Recipients = false, []string{"secret,b"} },
			"notification recipient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := good
			c.change(&n)
			peopleRefused(t, s.Send(t.Context(), n), c.field, "secret")
		})
	}
}

func TestNotificationIsSentOnceAndShowsNobodyInErrors(t *testing.T) {
	t.Parallel()
	client := scripted(t, wiretest.Want{Method: "POST", Target: "/v2/notifications", Body: `{"notificationType":"A","priority":"Low","message":"look","recipients":"jo@example.com"}`,
		Status: http.StatusBadGateway, Answer: `{"status":"Failure","message":"could not send look to jo@example.com"}`})
	err := client.Notifications.Send(t.Context(), threatconnect.Notification{Type: "A", Priority: "Low", Message: "look", Recipients: []string{"jo@example.com"}})
	require.ErrorIs(t, err, threatconnect.ErrServer)
	assert.NotContains(t, err.Error(), "jo@example.com")
	assert.NotContains(t, err.Error(), "look")
}

func TestNotificationsReachTheServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	client, ctx := srv.Client(), t.Context()
	n := threatconnect.Notification{Type: "Alert", Priority: threatconnect.PriorityHigh, Message: "look", Recipients: []string{peopleAnalyst, srv.AccessID()}}
	require.NoError(t, client.Notifications.Send(ctx, n))
	n.Recipients = append(n.Recipients, "nobody")
	require.ErrorIs(t, client.Notifications.Send(ctx, n), threatconnect.ErrBadRequest)
	n.Recipients, n.OwnerID = nil, new(srv.Owners()[2].ID)
	require.NoError(t, client.Notifications.Send(ctx, n))
	n.OwnerID = new(int64(99))
	require.ErrorIs(t, client.Notifications.Send(ctx, n), threatconnect.ErrBadRequest)
	assert.Equal(t, []threatconnecttest.NotificationRecord{
		{Type: "Alert", Priority: "High", Message: "look", Recipients: []string{peopleAnalyst, srv.AccessID()}},
		{Type: "Alert", Priority: "High", Message: "look", Owner: "Example Source"},
	}, srv.Notifications())
}
