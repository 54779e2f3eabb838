package main

import (
	"context"
	"encoding/json"
	"net/http"
	"runtime"
)

func bulk(ctx context.Context, t task) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	n := 0
	for ind, err := range c.Bulk.JSON(ctx) {
		if err != nil {
			return err
		}
		runtime.KeepAlive(ind)
		n++
	}
	return t.check(n)
}

// bulkBare reads the report token by token up to the list, and then an element at a time.
func bulkBare(ctx context.Context, t task) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.base+"/v2/indicators/bulk/json", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	d := json.NewDecoder(resp.Body)
	for range 3 { // the object, its key, the list
		if _, err := d.Token(); err != nil {
			return err
		}
	}
	n := 0
	for d.More() {
		var ind flat
		if err := d.Decode(&ind); err != nil {
			return err
		}
		runtime.KeepAlive(&ind)
		n++
	}
	return t.check(n)
}
