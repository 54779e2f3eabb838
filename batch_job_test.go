package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// oneHost imports one host through a transport and returns the stats and the error.
func oneHost(t *testing.T, srv *threatconnecttest.Server, transport http.RoundTripper, change func(*threatconnect.BatchConfig)) (threatconnect.BatchStats, error) {
	t.Helper()
	cfg := appendConfig()
	if change != nil {
		change(&cfg)
	}
	w, err := srv.Client(threatconnect.WithTransport(transport)).Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, batchHost(1))
	err = w.Close(t.Context())
	return w.Stats(), err
}

func isUpload(req *http.Request) bool {
	return req.Header.Get("Content-Type") == "application/octet-stream"
}

func TestArrivedUploadIsNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   threatconnecttest.Fault
		uploads int
	}{
		"the reply is lost":      {threatconnecttest.Fault{Kind: threatconnecttest.FaultLostReply}, 1},
		"a proxy answers 502":    {threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: 502}, 1},
		"a proxy answers 503":    {threatconnecttest.Fault{Kind: threatconnecttest.FaultLateStatus, Status: 503, Header: http.Header{"Retry-After": {"1"}}}, 1},
		"the reply is cut":       {threatconnecttest.Fault{Kind: threatconnecttest.FaultTruncate}, 1},
		"the reply never ends":   {threatconnecttest.Fault{Kind: threatconnecttest.FaultEndless}, 1},
		"the request was reset":  {threatconnecttest.Fault{Kind: threatconnecttest.FaultReset}, 2},
		"a login page answers":   {threatconnecttest.Fault{Kind: threatconnecttest.FaultHTML}, 2},
		"an empty reply":         {threatconnecttest.Fault{Kind: threatconnecttest.FaultEmpty}, 2},
		"a rate limit":           {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 429, Header: http.Header{"Retry-After": {"1"}}}, 2},
		"an error of the server": {threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 500}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				c.fault.Method, c.fault.Route = "POST", "/v2/batch/{id}"
				require.NoError(t, srv.Inject(c.fault))
				uploads := 0
				stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if isUpload(req) {
						uploads++
					}
					return srv.RoundTrip(req)
				}), nil)
				require.NoError(t, err)
				assert.Equal(t, c.uploads, uploads)
				assert.EqualValues(t, 1, stats.Indicators.Succeeded)
				require.Len(t, srv.Jobs(), 1)
				assert.Zero(t, srv.Jobs()[0].RefusedUploads)
			})
		})
	}
}

func TestRejectedSecondUploadMeansFirstArrived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		var late *http.Request
		uploads := 0
		stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
			if !isUpload(req) {
				return srv.RoundTrip(req)
			}
			if uploads++; uploads == 1 {
				body, err := io.ReadAll(req.Body)
				require.NoError(t, err)
				late = req.Clone(context.Background())
				late.Body = io.NopCloser(strings.NewReader(string(body)))
				return nil, errors.New("read: connection reset by peer")
			}
			// The first upload was still in transit when the job was polled.
			_, err := srv.RoundTrip(late)
			require.NoError(t, err)
			return srv.RoundTrip(req)
		}), nil)
		require.NoError(t, err)
		assert.EqualValues(t, 1, stats.Indicators.Succeeded)
		assert.Equal(t, 2, uploads)
		h, _ := srv.Indicator(batchOwner, "Host", "h1.example")
		assert.Len(t, h.Attributes, 1)
	})
}

func TestLostJobIsRecreatedOnlyIfUnprocessed(t *testing.T) {
	t.Parallel()
	for name, unclear := range map[string]bool{"its upload was refused": false, "its upload has an unknown outcome": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				gone := httpmock.NewStringResponder(404, `{"status":"Failure","message":"The requested resource was not found"}`)
				stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if strings.HasSuffix(req.URL.Path, "/batch/1") {
						if isUpload(req) && unclear {
							return nil, io.ErrUnexpectedEOF
						}
						return gone(req)
					}
					return srv.RoundTrip(req)
				}), nil)
				if !unclear {
					require.NoError(t, err)
					assert.Equal(t, 1, srv.Counts(batchOwner).Indicators)
					return
				}
				require.ErrorIs(t, err, threatconnect.ErrBatchLost)
				var b *threatconnect.BatchError
				require.ErrorAs(t, err, &b)
				assert.Equal(t, []int64{1}, b.Jobs)
				assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unknown: 1}, stats.Indicators)
				assert.Len(t, srv.Jobs(), 1, "no second job was made")
			})
		})
	}
}

func TestWaitTimeoutNamesJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(1000*time.Hour))
		began := time.Now()
		stats, err := oneHost(t, srv, srv, func(c *threatconnect.BatchConfig) { c.WaitFor = 3 * time.Hour })
		require.ErrorIs(t, err, threatconnect.ErrBatchWait)
		assert.InDelta(t, 3, time.Since(began).Hours(), 0.1)
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, []int64{1}, b.Jobs)
		assert.EqualValues(t, 1, stats.Indicators.Unknown)
		assert.Contains(t, err.Error(), "batch job 1")
	})
}

func TestImportWaitsOutOutage(t *testing.T) {
	t.Parallel()
	for name, route := range map[string]string{"of everything": "", "while the file is uploaded": "/v2/batch/{id}"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t)
				began := time.Now()
				stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if (route == "" || isUpload(req)) && time.Since(began) < 8*time.Minute {
						return nil, errors.New("write: broken pipe")
					}
					return srv.RoundTrip(req)
				}), nil)
				require.NoError(t, err)
				assert.EqualValues(t, 1, stats.Indicators.Succeeded)
				assert.Less(t, time.Since(began), 9*time.Minute)
			})
		})
	}
}

func TestPermanentOutageEndsImport(t *testing.T) {
	t.Parallel()
	for name, uploads := range map[string]bool{"of everything": false, "of uploads": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				minutes := scaletest.Size(60)
				srv := threatconnecttest.NewT(t)
				broken := errors.New("write: broken pipe")
				began := time.Now()
				stats, err := oneHost(t, srv, wiretest.Func(func(req *http.Request) (*http.Response, error) {
					if !uploads || isUpload(req) {
						return nil, broken
					}
					return srv.RoundTrip(req)
				}), func(c *threatconnect.BatchConfig) { c.RetryFor = time.Duration(minutes) * time.Minute })
				require.ErrorIs(t, err, broken)
				assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unprocessed: 1}, stats.Indicators)
				assert.InDelta(t, minutes, time.Since(began).Minutes(), 3)
				var b *threatconnect.BatchError
				require.ErrorAs(t, err, &b)
				assert.Empty(t, b.Jobs, "the platform says that the job has no file")
			})
		})
	}
}

func TestAWrongBaseURLFailsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		page := httpmock.NewStringResponder(200, "<html>Sign in</html>")
		began := time.Now()
		_, err := oneHost(t, threatconnecttest.NewT(t), wiretest.Func(page), nil)
		require.ErrorIs(t, err, threatconnect.ErrBadResponse)
		assert.Less(t, time.Since(began), time.Minute)
		assert.Contains(t, err.Error(), "is /api missing")
	})
}

// TestPollingBacksOff counts the status requests for jobs of different durations and measures the delay
// until their completion is noticed. The experience from one job must not make the next one worse.
func TestPollingBacksOff(t *testing.T) {
	t.Parallel()
	for _, duration := range []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute} {
		t.Run(duration.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(duration))
				cfg := appendConfig()
				cfg.MaxItems = 1
				var uploaded time.Time
				cfg.OnEvent = func(e threatconnect.BatchEvent) {
					switch e.Phase {
					case threatconnect.BatchUploaded:
						uploaded = time.Now()
					case threatconnect.BatchCompleted:
						assert.LessOrEqual(t, time.Since(uploaded), duration*26/10+time.Second, "job %d", e.Job)
					}
				}
				w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
				require.NoError(t, err)
				for n := range 10 {
					addAll(t, w, batchHost(n))
				}
				require.NoError(t, w.Close(t.Context()))
				jobs := srv.Jobs()
				require.Len(t, jobs, 10)
				for _, j := range jobs {
					assert.LessOrEqual(t, j.Polls, 25+int(max(duration-time.Minute, 0)/(20*time.Second)), "job %d", j.ID)
				}
			})
		})
	}
}

func TestEventsReportJobPhases(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	var phases []threatconnect.BatchPhase
	_, err := oneHost(t, srv, srv, func(c *threatconnect.BatchConfig) {
		c.OnEvent = func(e threatconnect.BatchEvent) {
			phases = append(phases, e.Phase)
			assert.EqualValues(t, 1, e.Job)
			assert.Equal(t, 1, e.Items)
			assert.Equal(t, e.Phase != threatconnect.BatchQueued, e.JobID == 1)
			assert.EqualValues(t, 1, e.Stats.Indicators.Added)
			if e.Phase == threatconnect.BatchCompleted {
				assert.Equal(t, srv.Jobs()[0].ContentSize, e.Bytes)
				assert.Equal(t, e.Bytes, e.Stats.Bytes)
				assert.EqualValues(t, 1, e.Stats.Indicators.Succeeded)
			}
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []threatconnect.BatchPhase{threatconnect.BatchQueued, threatconnect.BatchCreated, threatconnect.BatchUploaded, threatconnect.BatchCompleted}, phases)
}

func TestBatchDeleteRemovesListedItems(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	items := func(yield func(threatconnect.BatchItem, error) bool) {
		_ = yield(batchGroup("x-1"), nil) && yield(batchHost(1, "x-1", "x-unknown"), nil)
	}
	cfg := appendConfig()
	cfg.KnownGroup = knows("x-unknown")
	_, err := srv.Client().Batch.Import(t.Context(), cfg, items)
	require.Error(t, err, "the group is not in the owner, although KnownGroup says so")
	require.Equal(t, 1, srv.Counts(batchOwner).Indicators)
	stats, err := srv.Client().Batch.Import(t.Context(), threatconnect.BatchConfig{Owner: batchOwner, Action: threatconnect.BatchDelete}, items)
	require.NoError(t, err)
	assert.EqualValues(t, 2, stats.Total().Succeeded)
	assert.Zero(t, srv.Counts(batchOwner).Indicators)
	assert.Empty(t, srv.Groups(batchOwner))
}

// poisoning is a transport that replaces the description or file name "poison" of an uploaded item
// with a date that the platform cannot read. It can hide the item in the error file.
type poisoning struct {
	srv     *threatconnecttest.Server
	hide    *regexp.Regexp // removed from the error file
	atStart bool           // the platform fails before it processes any item

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

// TestPoisonItemsAreIsolatedAndRestImported has a few hosts that make the platform give up their job.
func TestPoisonItemsAreIsolatedAndRestImported(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hide    string
		poison  []int
		atStart bool
	}{
		"one in the middle, its place is reported": {"", []int{57}, false},
		"the first one":                       {"", []int{0}, false},
		"the last one":                        {"", []int{99}, false},
		"three, next to each other and apart": {"", []int{20, 21, 90}, false},
		"the path is hidden":                  {` Last known JSON path[^"]*`, []int{57}, false},
		"the path is hidden, two":             {` Last known JSON path[^"]*`, []int{0, 99}, false},
		"everything is hidden":                {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{30, 31, 77}, false},
		"nothing before it was processed":     {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{42}, true},
		"nothing was processed, two items":    {`( Last known JSON path[^"]*)|(,"errorSource":"[^"]*")`, []int{42, 43}, true},
		"nothing was processed, a wrong path": {`\[\d+\]|( Last processed[^"]*)|(,"errorSource":"[^"]*")`, []int{42}, true},
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

func TestPoisonItemSearchIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &poisoning{srv: threatconnecttest.NewT(t)}
		w, err := p.srv.Client(threatconnect.WithTransport(p)).Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		n := scaletest.Size(2000)
		for i := range n {
			h := batchHost(i)
			h.Description = "poison"
			addAll(t, w, h)
		}
		err = w.Close(t.Context())
		require.Error(t, err)
		s := w.Stats().Indicators
		assert.EqualValues(t, n, s.Failed+s.Unprocessed)
		assert.Less(t, p.uploads, 200)
	})
}

func TestPoisonItemHaltsImportWithHaltOnError(t *testing.T) {
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

// TestUnidentifiedPoisonItemBlamesNoItem has a platform that gives up a job before it
// processes any item, and does not name the cause.
func TestUnidentifiedPoisonItemBlamesNoItem(t *testing.T) {
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

// TestAbandonedJobKeepsUnattributedErrors has an error that names no item before one that ends the job.
func TestAbandonedJobKeepsUnattributedErrors(t *testing.T) {
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
