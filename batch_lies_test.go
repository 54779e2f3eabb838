package threatconnect_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// A server that makes its counts up cannot make the writer panic, wait for ever or lose an item:
// each is counted, as what is known of it.
func TestCountsThatAreMadeUp(t *testing.T) {
	t.Parallel()
	count := regexp.MustCompile(`("\w+Count":)\d+`)
	for _, lie := range []string{"-1", "-100", "1", "1000000", "2147483647", "2147483648", "9223372036854775807", "1.5", `"x"`, "null", "{}"} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.New()
				p := &poisoning{srv: srv}
				c := srv.Client(threatconnect.WithTransport(roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := p.RoundTrip(req)
					if err != nil || req.Method != http.MethodGet {
						return resp, err
					}
					text, err := io.ReadAll(resp.Body)
					resp.Body = io.NopCloser(bytes.NewReader(count.ReplaceAll(text, []byte("${1}"+lie))))
					resp.ContentLength = -1
					resp.Header.Del("Content-Length")
					return resp, err
				})))
				w, err := c.Batch.NewWriter(threatconnect.BatchConfig{Owner: "Example Source", Action: threatconnect.BatchCreate, Attributes: threatconnect.WriteAppend})
				require.NoError(t, err)
				for i := range 20 {
					h := threatconnect.NewHost(fmt.Sprintf("a%d.example", i))
					if i == 7 {
						h.Description = "poison"
					}
					require.NoError(t, w.Add(t.Context(), h))
				}
				_ = w.Close(t.Context()) // what it says depends on the lie
				n := w.Stats().Total()
				assert.EqualValues(t, 20, n.Added)
				assert.Equal(t, n.Added, n.Succeeded+n.Failed+n.Unprocessed+n.Unknown)
				assert.GreaterOrEqual(t, min(n.Succeeded, n.Failed, n.Unprocessed, n.Unknown), int64(0))
			})
		})
	}
}

// A platform that counts the item which halted a job among those that it has not processed does not make the item one
// of them.
func TestAnItemThatFailedIsNotCountedAsUnprocessed(t *testing.T) {
	t.Parallel()
	count := regexp.MustCompile(`("unprocessCount":)\d+`)
	srv := threatconnecttest.New()
	cfg := appendConfig()
	cfg.HaltOnError = true
	told := map[int64]int{}
	cfg.OnError = func(e threatconnect.BatchItemError) { told[e.Seq]++ }
	w, err := srv.Client(threatconnect.WithTransport(roundTrip(func(req *http.Request) (*http.Response, error) {
		resp, err := srv.RoundTrip(req)
		if err != nil || req.Method != http.MethodGet || strings.HasSuffix(req.URL.Path, "/errors") {
			return resp, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(count.ReplaceAll(text, []byte("${1}10"))))
		resp.ContentLength = -1
		resp.Header.Del("Content-Length")
		return resp, err
	}))).Batch.NewWriter(cfg)
	require.NoError(t, err)
	for n := range 10 {
		h := batchHost(n)
		if n == 0 {
			h.Attributes[0].Type = "No Such Type"
		}
		addAll(t, w, h)
	}
	require.Error(t, w.Close(t.Context()))
	assert.Equal(t, threatconnect.BatchCounts{Added: 10, Failed: 1, Unprocessed: 9}, w.Stats().Indicators)
	for n := range int64(10) {
		assert.Equal(t, 1, told[n], "item %d", n)
	}
}
