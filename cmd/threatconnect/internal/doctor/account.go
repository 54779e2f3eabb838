package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Offsets of the clock.
const (
	refusedOffset = 5 * time.Minute // the platform refuses signatures from here on
	warnedOffset  = 2 * time.Minute
)

// clock compares the time of this machine with the Date header of the instance.
func (e *exam) clock(ctx context.Context) check {
	x := e.firstCall(ctx)
	date, err := http.ParseTime(x.header.Get("Date"))
	if err != nil {
		if errors.Is(e.firstErr, threatconnect.ErrClockSkew) {
			return fail("the instance refuses the time of this machine, and does not report its own", "set the clock of this machine")
		}
		return unsure("the instance does not report its time")
	}
	// The header has whole seconds, and was written at some time between request and response.
	offset := x.start.Add(x.end.Sub(x.start) / 2).Sub(date.Add(time.Second / 2)).Round(time.Second)
	if offset.Abs() > time.Minute {
		offset = offset.Round(10 * time.Second)
	}
	way := "ahead of"
	if offset < 0 {
		way = "behind"
	}
	saw := fmt.Sprintf("this machine is about %s %s the instance", offset.Abs(), way)
	const fix = "set the clock of this machine, or that of the instance: one of them is wrong"
	switch {
	case offset == 0:
		return pass("this machine and the instance agree")
	case offset.Abs() < warnedOffset:
		return pass("%s", saw)
	case offset.Abs() < refusedOffset || e.inst.Token != "":
		return warn(saw+"; signatures are refused from 5 minutes on", fix)
	case errors.Is(e.firstErr, threatconnect.ErrClockSkew):
		return fail(saw+", which refuses its signatures", fix)
	}
	return fail(saw+", which refuses signatures that are more than 5 minutes off. The SDK corrects this; other clients fail", fix)
}

// credentials checks the signature or the token.
func (e *exam) credentials(ctx context.Context) check {
	x := e.firstCall(ctx)
	err := e.firstErr
	what := "the signature"
	sent := []string{"the secret is from " + e.inst.From}
	if e.inst.Token != "" {
		what = "the token"
		sent = append(sent, "Authorization: "+x.authShape)
	} else {
		sent = append(sent, "string to sign: "+x.signed, "Authorization: "+x.authShape)
	}
	switch {
	case err == nil:
		return pass("%s is accepted", what).with(sent[0])
	case errors.Is(err, threatconnect.ErrClockSkew):
		return check{Result: notChecked, Seen: "the time of the signature is refused, see clock"}.with(sent...)
	case errors.Is(err, threatconnect.ErrSignature):
		return fail("the signature is refused", "check TC_SECRET_KEY: set it in single quotes, so that the shell keeps $ and !. If it is right, a proxy changes the path or the query of requests").with(sent...)
	case errors.Is(err, threatconnect.ErrTokenRefused):
		return fail("the token is refused", "get a new one for TC_TOKEN").with(sent...)
	case errors.Is(err, threatconnect.ErrForbidden):
		return fail("access is denied: "+cause(err), "check TC_ACCESS_ID, and whether the API user is active").with(sent...)
	}
	return fail("the request is refused: "+cause(err), "check the credentials, and the role of the API user").with(sent...)
}

// systemRoles are the roles that every instance has. Other names of roles could be values.
var systemRoles = []string{
	"Administrator", "Operations Administrator", "Super User", "Accounts Administrator", "Community Leader", "Exchange Admin", "Api User",
	"Organization Administrator", "Sharing User", "Standard User", "App Developer", "Read Only Commenter", "Read Only User",
}

func (e *exam) user(ctx context.Context) check {
	u, err := e.client.Owners.Whoami(ctx)
	switch {
	case err != nil:
		return unread("the API user", err)
	case u.Role == "":
		return pass("the instance knows the API user, and does not report the role").with("user: " + u.UserName)
	case slices.Contains(systemRoles, u.Role):
		return pass("role: %s", u.Role).with("user: " + u.UserName)
	}
	return pass("the API user has a custom role").with("user: "+u.UserName, "role: "+u.Role)
}

func (e *exam) seeOwners(context.Context) check {
	count := map[threatconnect.OwnerType]int{}
	var names []string
	for _, o := range e.owners {
		switch o.Type {
		case threatconnect.OwnerOrganization, threatconnect.OwnerCommunity, threatconnect.OwnerSource:
			count[o.Type]++
		default:
			count[""]++
		}
		names = append(names, strconv.Quote(o.Name))
	}
	if len(names) == 0 {
		return fail("the API user sees no owner", "ask the administrator to give the API user access to an owner")
	}
	return pass("organizations: %d, communities: %d, sources: %d, others: %d", count[threatconnect.OwnerOrganization],
		count[threatconnect.OwnerCommunity], count[threatconnect.OwnerSource], count[""]).with(names...)
}

func (e *exam) sees(owner string) bool {
	return slices.ContainsFunc(e.owners, func(o threatconnect.Owner) bool { return o.Name == owner })
}

// mostOwners is the number of owners that are searched for indicators.
const mostOwners = 5

// samples reads a page of indicators in the owner of --owner, or in the first owner that has some.
func (e *exam) samples(ctx context.Context) check {
	names := []string{e.owner}
	if e.owner == "" {
		names = nil
		for _, o := range e.owners[:min(len(e.owners), mostOwners)] {
			names = append(names, o.Name)
		}
	} else if !e.sees(e.owner) {
		return fail("the API user does not see the owner of --owner", "check the name, and ask the administrator to give the API user access")
	}
	var page *threatconnect.Page[threatconnect.Indicator]
	var err error
	for _, name := range names {
		e.sampled = e.client.InOwner(name)
		page, err = e.sampled.Indicators.List(ctx, &threatconnect.IndicatorListOptions{
			ListOptions: threatconnect.ListOptions{Limit: 100}, Include: threatconnect.Include{Tags: true, Attributes: true, Labels: true},
		})
		if err != nil || len(page.Items) > 0 {
			break
		}
	}
	if err != nil {
		return unread("the indicators of the owner", err)
	}
	if e.indicators = page.Items; len(page.Items) == 0 {
		return unsure("the owner can be read, and has no indicators: name an owner that has some with --owner")
	}
	groups, err := e.sampled.Groups.List(ctx, &threatconnect.GroupListOptions{ListOptions: threatconnect.ListOptions{Limit: 100}})
	if err != nil {
		return unread("the groups of the owner", err)
	}
	return pass("%s and %s read", cli.Count(int64(len(page.Items)), "indicator"), cli.Count(int64(len(groups.Items)), "group")).
		with("owner: " + strconv.Quote(page.Items[0].Meta().Owner.Name))
}
