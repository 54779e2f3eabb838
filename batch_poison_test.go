package threatconnect_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// poisoning is a transport that turns the description "poison" of an uploaded item into a date that
// the platform cannot read, and can hide in the error file where that was.
type poisoning struct {
	srv     *threatconnecttest.Server
	hide    *regexp.Regexp // what the error file does not say
	atStart bool           // the platform reads a whole file before it processes anything

	mu      sync.Mutex
	uploads int
}

func (p *poisoning) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Content-Type") == "application/octet-stream" {
		p.mu.Lock()
		p.uploads++
		p.mu.Unlock()
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		text = bytes.ReplaceAll(text, []byte(`"description":"poison"`), []byte(`"firstSeen":"not a date"`))
		text = bytes.ReplaceAll(text, []byte(`"fileName":"poison"`), []byte(`"firstSeen":"not a date"`))
		if p.atStart && bytes.Contains(text, []byte("not a date")) {
			text = regexp.MustCompile(`"firstSeen":"20[^"]*"`).ReplaceAll(text, []byte(`"firstSeen":"not a date"`))
		}
		req = req.Clone(req.Context())
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	resp, err := p.srv.RoundTrip(req)
	if err != nil || p.hide == nil || !strings.HasSuffix(req.URL.Path, "/errors") {
		return resp, err
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(p.hide.ReplaceAll(text, nil)))
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	return resp, nil
}

// TestPoisonousItemsAreFoundAndTheRestGoesIn has hosts of which a few make the platform give up.
func TestPoisonousItemsAreFoundAndTheRestGoesIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hide    string
		poison  []int
		atStart bool
	}{
		"one in the middle, its place is told":         {"", []int{57}, false},
		"the first one":                                {"", []int{0}, false},
		"the last one":                                 {"", []int{99}, false},
		"three, next to each other and apart":          {"", []int{20, 21, 90}, false},
		"the path is hidden":                           {` Last known JSON path[^"]*`, []int{57}, false},
		"the path is hidden, two":                      {` Last known JSON path[^"]*`, []int{0, 99}, false},
		"everything is hidden":                         {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{30, 31, 77}, false},
		"nothing before it was processed":              {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{42}, true},
		"nothing was processed and there are a couple": {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{42, 43}, true},
		"nothing was processed and a wrong path":       {`\[\d+\]|( Last processed[^"]*)|(,"errorSource":"[^"]*")`, []int{42}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &poisoning{srv: threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityPlainErrorFile)), atStart: c.atStart}
			if c.hide != "" {
				p.hide = regexp.MustCompile(c.hide)
			}
			client := p.srv.Client(threatconnect.WithTransport(p))
			w, err := client.Batch.NewWriter(t.Context(), appendConfig())
			require.NoError(t, err)
			var want, groups []string
			if !c.atStart {
				groups = []string{"x-1"}
				addAll(t, w, batchGroup("x-1"))
			}
			for n := range 100 {
				h := batchHost(n, groups...)
				if c.atStart {
					h.FirstSeen = batchDay
				}
				for _, i := range c.poison {
					if i == n {
						h.Description = "poison"
						want = append(want, fmt.Sprintf("%d Host h%d.example: 0x1003", n+len(groups), n))
					}
				}
				addAll(t, w, h)
			}
			err = w.Close(t.Context())
			assert.ElementsMatch(t, want, failures(t, err))
			var b *threatconnect.BatchError
			require.ErrorAs(t, err, &b)
			assert.True(t, b.Items[0].Fatal())
			bad := int64(len(want))
			assert.Equal(t, threatconnect.BatchCounts{Added: 100, Succeeded: 100 - bad, Failed: bad}, w.Stats().Indicators)
			assert.Equal(t, int(100-bad), p.srv.Counts(batchOwner).Indicators)
			for _, h := range p.srv.Indicators(batchOwner) {
				if len(h.Attributes) != 1 {
					t.Errorf("%s has %d attributes", h.Summary, len(h.Attributes))
				}
			}
			assert.Less(t, p.uploads, 40)
		})
	}
}

func TestPoisonWithoutEndIsNotChasedWithoutEnd(t *testing.T) {
	t.Parallel()
	p := &poisoning{srv: threatconnecttest.NewT(t)}
	w, err := p.srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	for n := range 2000 {
		h := batchHost(n)
		h.Description = "poison"
		addAll(t, w, h)
	}
	err = w.Close(t.Context())
	require.Error(t, err)
	s := w.Stats().Indicators
	assert.EqualValues(t, 2000, s.Failed+s.Unprocessed)
	assert.Less(t, p.uploads, 200)
}

func TestPoisonHaltsAnImportThatHaltsOnErrors(t *testing.T) {
	t.Parallel()
	p := &poisoning{srv: threatconnecttest.NewT(t)}
	cfg := appendConfig()
	cfg.HaltOnError = true
	w, err := p.srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 5 {
		h := batchHost(n)
		if n == 2 {
			h.Description = "poison"
		}
		addAll(t, w, h)
	}
	err = w.Close(t.Context())
	assert.Equal(t, []string{"2 Host h2.example: 0x1003", "3 Host h3.example: unprocessed", "4 Host h4.example: unprocessed"}, failures(t, err))
	assert.Equal(t, 1, p.uploads)
	assert.Equal(t, threatconnect.BatchCounts{Added: 5, Succeeded: 2, Failed: 1, Unprocessed: 2}, w.Stats().Indicators)
}

// TestPoisonThatNobodyCanNameIsBlamedOnNobody has a platform that gives up a job before it has
// processed anything, and does not say at which item.
func TestPoisonThatNobodyCanNameIsBlamedOnNobody(t *testing.T) {
	t.Parallel()
	p := &poisoning{srv: threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityPlainErrorFile)), atStart: true,
		hide: regexp.MustCompile(`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`)}
	cfg := appendConfig()
	cfg.HaltOnError = true
	w, err := p.srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	for n := range 3 {
		h := batchHost(n)
		h.FirstSeen = batchDay
		if n == 1 {
			h.Description = "poison"
		}
		addAll(t, w, h)
	}
	err = w.Close(t.Context())
	assert.Equal(t, []string{"-1  : 0x1003", "0 Host h0.example: unprocessed", "1 Host h1.example: unprocessed", "2 Host h2.example: unprocessed"}, failures(t, err))
	assert.Equal(t, threatconnect.BatchCounts{Added: 3, Unprocessed: 3}, w.Stats().Indicators)
}

// TestErrorsThatNameNobodyStayErrorsWhenAJobIsGivenUp has an error that names no item before one that ends the job.
func TestErrorsThatNameNobodyStayErrorsWhenAJobIsGivenUp(t *testing.T) {
	t.Parallel()
	p := &poisoning{srv: threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityPlainErrorFile)), hide: regexp.MustCompile(`h2\.example`)}
	w, err := p.srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	for n := range 10 {
		h := batchHost(n)
		switch n {
		case 2:
			h.Attributes[0].Type = "No Such Type"
		case 5:
			h.Description = "poison"
		}
		addAll(t, w, h)
	}
	assert.ElementsMatch(t, []string{"-1  : 0x2001", "5 Host h5.example: 0x1003"}, failures(t, w.Close(t.Context())))
	assert.Equal(t, threatconnect.BatchCounts{Added: 10, Succeeded: 8, Failed: 2}, w.Stats().Indicators)
	assert.Equal(t, 9, p.srv.Counts(batchOwner).Indicators)
}
