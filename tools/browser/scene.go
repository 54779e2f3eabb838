package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/chromedp/chromedp/kb"

	"github.com/threatconnect-go/threatconnect"
)

// furnish adds data to show: a feed, groups with all attachments, a job with an error, a fault that was used, a
// refused signature and an oddity.
func furnish(ctx context.Context, s *sandbox, t *tab) error {
	wait, err := s.feed(ctx, 2000)
	if err != nil {
		return err
	}
	if _, err := wait(); err != nil {
		return err
	}
	threat := threatconnect.NewThreat("Operation with a name that is so long that it does not fit into a row of a telephone")
	threat.XID = "threat"
	host := threatconnect.NewHost("a.malware-feed.net")
	host.Rating, host.Confidence = new(4.0), new(80)
	host.Tags, host.GroupXIDs = []threatconnect.Tag{{Name: "C2"}, {Name: "Botnet"}}, []string{"threat"}
	host.Attributes = []threatconnect.Attribute{{Type: "Description", Value: strings.Repeat("Seen in the night of the attack. ", 10), Displayed: new(true)}}
	host.SecurityLabels = []threatconnect.SecurityLabel{{Name: "TLP:AMBER"}}
	if err := s.load(ctx, threat, host); err != nil {
		return err
	}
	bad := threatconnect.NewHost("b.malware-feed.net")
	bad.Attributes = []threatconnect.Attribute{{Type: "No such type", Value: "x"}}
	if err := s.load(ctx, bad); err == nil {
		return errors.New("an attribute of an unknown type was not refused")
	}
	if err := addFault(t); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if _, err := c.Owners.List(ctx, nil); err == nil {
		return errors.New("the fault did not strike")
	}
	if _, err := c.Indicators.Hosts.Get(ctx, "a.malware-feed.net", nil); err != nil {
		return err
	}
	if err := refuse(ctx, s); err != nil {
		return err
	}
	if err := browse(t, "indicators", "a.malware"); err != nil {
		return err
	}
	if err := t.shows("#browse [data-record]", "a.malware-feed.net"); err != nil {
		return err
	}
	return t.until("the refused request is in the list", `() => document.querySelector("#requests [data-verified=false]") !== null`)
}

// views are the page and its details of each kind.
var views = []struct{ name, button string }{
	{"page", ""},
	{"refusal", `#requests [data-verified=false] button`},
	{"request", `#requests [data-status="200"] button`},
	{"indicator", `#browse [data-record] button`},
	{"job", `#jobs [data-job] button`},
}

// eachView opens every view, calls see and closes it again.
func eachView(t *tab, see func(name string) error) error {
	for _, v := range views {
		if v.button != "" {
			if err := t.click(v.button); err != nil {
				return err
			}
			if err := t.until("the details of "+v.name+" open", `() => document.querySelector("dialog#details").open && document.querySelector("#details-body").textContent.trim() !== ""`); err != nil {
				return err
			}
		}
		if err := see(v.name); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		if v.button != "" {
			if err := t.press(kb.Escape); err != nil {
				return err
			}
			if err := t.until("Escape closes the details", `() => !document.querySelector("dialog#details").open`); err != nil {
				return err
			}
		}
	}
	return nil
}
