package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/threatconnect-go/threatconnect"
)

// task contains the parameters of a measured process.
type task struct {
	base string // of the server's API
	n    int    // number of items
	page int    // items per page
	dir  string // of the ready-made files
}

const (
	accessID  = "12345678901234567890"
	secretKey = "not a secret: the server looks at no signature"
	owner     = "Example Source"
	ahead     = 16 // pages that are fetched ahead
)

// tasks are the measured functions, in pairs: with the package, and bare.
var tasks = map[string]func(context.Context, task) error{
	"make items":     makeItems,
	"import":         importFeed,
	"import hosts":   importHosts,
	"import, spool":  importSpooled,
	"import, merge":  importMerged,
	"repeats":        importRepeats,
	"repeats, merge": importRepeatsMerged,
	"post files":     postFiles,
	"post bytes":     postBytes,
	"post, make":     postAndMake,
	"marshal":        marshalItems,
	"list":           list,
	"list ahead":     listAhead,
	"list bare":      listBare,
	"get":            get,
	"get bare":       getBare,
	"bulk":           bulk,
	"bulk bare":      bulkBare,
}

func (t task) client() (*threatconnect.Client, error) {
	return threatconnect.NewClient(t.base, threatconnect.HMAC(accessID, secretKey), threatconnect.WithOwner(owner))
}

// bare sends an unsigned request and decodes the response.
func bare(ctx context.Context, method, url string, body io.Reader, size int64, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	req.ContentLength = size
	return send(req, into)
}

func send(req *http.Request, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body) // for reuse of the connection
	return err
}

func (t task) check(n int) error {
	if n != t.n {
		return fmt.Errorf("got %d of %d", n, t.n)
	}
	return nil
}
