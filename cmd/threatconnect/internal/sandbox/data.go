package sandbox

import (
	"cmp"
	"net/http"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// ownerRow is an owner and its sizes.
type ownerRow struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Type     string `json:"type"`
	ReadOnly bool   `json:"readOnly"`
	threatconnecttest.Counts
}

func (c *control) ownerRows() []ownerRow {
	var rows []ownerRow
	for _, o := range c.srv.Owners() {
		rows = append(rows, ownerRow{o.ID, o.Name, o.Type, o.ReadOnly, c.srv.Counts(o.Name)})
	}
	return rows
}

func (c *control) getOwners(*http.Request) (any, error) { return c.ownerRows(), nil }

// postSeed adds the records of a body. New owners have bulk reports, as the others have.
func (c *control) postSeed(r *http.Request) (any, error) {
	return c.change(func(records ...threatconnecttest.Record) error {
		if err := c.srv.Seed(records...); err != nil {
			return err
		}
		for _, record := range records {
			if o, ok := record.(*threatconnecttest.Owner); ok {
				if err := enableBulk(c.srv, o.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})(r)
}

// change returns a call that passes the records of its body to a function.
func (c *control) change(do func(...threatconnecttest.Record) error) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		data, err := body[threatconnecttest.Data](r)
		if err != nil {
			return nil, err
		}
		records := data.Records()
		if err := do(records...); err != nil {
			return nil, err
		}
		return map[string]int{"records": len(records)}, nil
	}
}

func (c *control) getData(*http.Request) (any, error) { return c.srv.Data(), nil }

// search lists indicators or groups of an owner.
func (c *control) search(r *http.Request) (any, error) {
	kind := cmp.Or(r.FormValue("kind"), "indicators")
	if kind != "indicators" && kind != "groups" {
		return nil, unknown("kind", kind, "indicators", "groups")
	}
	start, err := whole(r, "start", 0)
	if err != nil {
		return nil, err
	}
	limit, err := whole(r, "limit", 100)
	if err != nil {
		return nil, err
	}
	return c.srv.Search(threatconnecttest.Query{
		Owner: r.FormValue("owner"), Groups: kind == "groups", Type: r.FormValue("type"), Text: r.FormValue("text"),
		Start: int(start), Limit: int(min(limit, mostFound)),
	}), nil
}

// mostFound is the maximum number of records of a search.
const mostFound = 1000

func (c *control) getIndicator(r *http.Request) (any, error) {
	owner, typ, summary := r.FormValue("owner"), r.FormValue("type"), r.FormValue("summary")
	found, ok := c.srv.Indicator(owner, typ, summary)
	if !ok {
		return nil, notFound("owner %q has no indicator of type %q with summary %q", owner, typ, summary)
	}
	return found, nil
}

func (c *control) getGroup(r *http.Request) (any, error) {
	found, ok := c.srv.Group(r.FormValue("xid"))
	if !ok {
		return nil, notFound("xid: there is no group %q", r.FormValue("xid"))
	}
	return found, nil
}

// postReset restores the state at the start, except for the token of the control API.
func (c *control) postReset(*http.Request) (any, error) {
	c.srv.Reset()
	c.settings.forget()
	c.clears.Add(1)
	c.resets.Add(1)
	return empty{}, c.setUp()
}
