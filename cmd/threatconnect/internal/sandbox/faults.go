package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// empty is the response of calls without a result: {}.
type empty struct{}

func (c *control) getFaults(*http.Request) (any, error) { return c.srv.Faults(), nil }

func (c *control) postFault(r *http.Request) (any, error) {
	f, err := body[threatconnecttest.Fault](r)
	if err != nil {
		return nil, err
	}
	if err := c.srv.Inject(f); err != nil {
		return nil, err
	}
	return c.srv.Faults(), nil
}

// putFaults replaces the faults. If a new fault is invalid, nothing changes.
func (c *control) putFaults(r *http.Request) (any, error) {
	faults, err := body[[]threatconnecttest.Fault](r)
	if err != nil {
		return nil, err
	}
	old := c.srv.Faults()
	if err := c.srv.Inject(faults...); err != nil {
		return nil, err
	}
	for _, f := range old {
		c.srv.RemoveFault(f.ID)
	}
	return c.srv.Faults(), nil
}

func (c *control) deleteFaults(*http.Request) (any, error) {
	c.srv.ClearFaults()
	return empty{}, nil
}

func (c *control) deleteFault(r *http.Request) (any, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil || !c.srv.RemoveFault(id) {
		return nil, notFound("faults/%s: there is no such fault: GET %sfaults lists them", r.PathValue("id"), controlPath)
	}
	return empty{}, nil
}

// oddity is an oddity as lists show it.
type oddity struct {
	term
	On bool `json:"on"`
}

func (c *control) getOddities(*http.Request) (any, error) {
	var all []oddity
	on := c.srv.Oddities()
	for _, o := range threatconnecttest.Oddities() {
		all = append(all, oddity{term{o.String(), o.Description()}, on&o != 0})
	}
	return all, nil
}

func (c *control) putOddities(r *http.Request) (any, error) {
	in, err := body[struct {
		On []threatconnecttest.Oddity `json:"on"`
	}](r)
	if err != nil {
		return nil, err
	}
	var set threatconnecttest.Oddity
	for _, o := range in.On {
		set |= o
	}
	c.srv.SetOddities(set)
	return c.getOddities(r)
}

// names returns the names of the oddities in a set.
func names(set threatconnecttest.Oddity) []string {
	if set == 0 {
		return []string{}
	}
	return strings.Split(set.String(), "|")
}

// unknown returns the error for a word that a call does not accept.
func unknown(field, word string, known ...string) error {
	return fmt.Errorf("%s: %q is not one of %s", field, word, strings.Join(known, ", "))
}
