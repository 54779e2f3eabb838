package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

func (e *exam) indicatorTypes(ctx context.Context) check {
	types, err := threatconnect.Collect(e.client.Types.Indicators(ctx, nil))
	if err != nil {
		return unread("the indicator types", err)
	}
	known := map[threatconnect.IndicatorType]bool{}
	for _, t := range []threatconnect.IndicatorType{
		threatconnect.TypeAddress, threatconnect.TypeEmailAddress, threatconnect.TypeFile, threatconnect.TypeHost, threatconnect.TypeURL, threatconnect.TypeASN,
		threatconnect.TypeCIDR, threatconnect.TypeMutex, threatconnect.TypeRegistryKey, threatconnect.TypeUserAgent, threatconnect.TypeEmailSubject, threatconnect.TypeHashtag,
	} {
		known[t] = true
	}
	own := 0
	for _, t := range types {
		if !known[t.Name] {
			own++
		}
	}
	for _, err := range e.client.Types.Indicators(ctx, &threatconnect.ListOptions{Limit: 1}) {
		if err != nil {
			return unread("a list of one indicator type", err)
		}
		break // the first page shows how a list of one is written
	}
	return pass("%s, %d of them custom", cli.Count(int64(len(types)), "indicator type"), own)
}

func (e *exam) attributeTypes(ctx context.Context) check {
	types, err := threatconnect.Collect(e.client.Types.Attributes(ctx, nil))
	if err != nil {
		return unread("the attribute types", err)
	}
	return pass("%s", cli.Count(int64(len(types)), "attribute type"))
}

// pageSizes are the limits to try, largest first.
var pageSizes = []int{10_000, 5_000, 1_000, 500}

func (e *exam) pageSize(ctx context.Context) check {
	for _, limit := range pageSizes {
		page, err := e.sampled.Indicators.List(ctx, &threatconnect.IndicatorListOptions{
			ListOptions: threatconnect.ListOptions{Limit: limit}, Include: threatconnect.Include{OmitAdditional: true},
		})
		if errors.Is(err, threatconnect.ErrBadRequest) {
			continue
		}
		if err != nil {
			return unread("a page of indicators", err)
		}
		got := len(page.Items)
		saw := fmt.Sprintf("resultLimit=%d is accepted", limit)
		switch {
		case limit < pageSizes[0]:
			return warn(saw+", larger values are refused", "set the page size of programs to this value")
		case page.Total >= 0 && int64(got) < min(page.Total, int64(limit)):
			return warn(fmt.Sprintf("%s, but the page has only %s", saw, cli.Count(int64(got), "item")), "set the page size of programs to this value")
		case got == limit:
			return pass("%s", saw)
		}
		return pass("%s; the list is shorter, so it does not show whether pages are that long", saw)
	}
	return fail("the instance refuses resultLimit=500", "report this")
}

func (e *exam) threatAssess(context.Context) check {
	if len(e.indicators) == 0 {
		return unsure("there is no indicator to look at")
	}
	score, rating, confidence := 0, 0, 0
	for _, i := range e.indicators {
		m := i.Meta()
		for n, has := range map[*int]bool{&score: m.ThreatAssessScore != nil, &rating: m.ThreatAssessRating != nil, &confidence: m.ThreatAssessConfidence != nil} {
			if has {
				*n++
			}
		}
	}
	saw := fmt.Sprintf("of %s, %d have a score, %d a rating and %d a confidence", cli.Count(int64(len(e.indicators)), "indicator"), score, rating, confidence)
	if score+rating+confidence == 0 {
		return warn(saw, "ask the administrator whether ThreatAssess is switched on; programs must do without its fields")
	}
	return pass("%s", saw)
}

// bulk reads which bulk reports the owner has. An organization has none.
func (e *exam) bulk(ctx context.Context) check {
	owner := e.owner
	for _, o := range e.owners {
		if owner == "" && (o.Type == threatconnect.OwnerSource || o.Type == threatconnect.OwnerCommunity) {
			owner = o.Name
		}
	}
	if owner == "" {
		return unsure("the API user sees no community and no source")
	}
	status, err := e.client.InOwner(owner).Bulk.Status(ctx)
	switch {
	case err != nil:
		return unsure("the state of the bulk reports cannot be read: %s", cause(err))
	case !status.JSONEnabled && !status.CSVEnabled:
		return pass("switched off for the owner, so programs read it page by page")
	}
	return pass("JSON %s, CSV %s", onOff(status.JSONEnabled), onOff(status.CSVEnabled))
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// absent requests items that do not exist, to see errors, empty lists and observations.
func (e *exam) absent(ctx context.Context) check {
	host := e.label + ".example"
	empty, err := e.sampled.Indicators.List(ctx, &threatconnect.IndicatorListOptions{Filters: threatconnect.Filters{threatconnect.BySummary.Is(host)}})
	switch {
	case err != nil:
		return unread("an empty list", err)
	case len(empty.Items) > 0:
		return warn("the filter of a list by summary is ignored", "report this: programs get more than they ask for")
	}
	if _, err := e.sampled.Indicators.Hosts.Get(ctx, host, nil); !errors.Is(err, threatconnect.ErrNotFound) {
		if err == nil {
			return fail("an indicator that does not exist is found", "report this")
		}
		return warn("the error for an indicator that does not exist is not 404: "+cause(err), "report this: programs cannot detect that it is missing")
	}
	for _, i := range e.indicators {
		if a := i.Meta().Additional; a != nil && a.ObservationCount > 0 {
			if _, err := e.sampled.Indicators.Observations(ctx, i.Ref()); err != nil {
				return unread("the observations of an indicator", err)
			}
			break
		}
	}
	return pass("an indicator that does not exist is reported as missing")
}

func (e *exam) compression(context.Context) check {
	longest := 0
	for _, x := range e.rec.all() {
		if x.compressed && x.route != errorsRoute { // error files are always compressed
			return pass("the instance compresses responses")
		}
		longest = max(longest, len(x.body))
	}
	if longest < 4<<10 {
		return unsure("all responses are short")
	}
	return pass("the instance does not compress responses; the longest had %s bytes", cli.Number(int64(longest)))
}

// requests counts the requests and their failures.
func (e *exam) requests(context.Context) check {
	sent, limited := e.rec.all(), 0
	for _, x := range sent {
		if x.status == http.StatusTooManyRequests {
			limited++
		}
	}
	retries := e.retries.Load()
	saw := fmt.Sprintf("%s, %d of them retries", cli.Count(int64(len(sent)), "request"), retries)
	switch {
	case limited > 0:
		return warn(fmt.Sprintf("%s; %d were refused by the rate limit", saw, limited), "ask the administrator for the limit, and send fewer requests at a time")
	case retries > 0:
		return warn(saw, "ask whether the network, a proxy or the instance is unreliable")
	}
	return pass("%s", saw)
}
