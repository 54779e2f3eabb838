package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/threatconnect-go/threatconnect"
)

const (
	polledJobs = 40
	polledSize = 10 // items of a job
)

const (
	maxRatio      = 1.12             // time of an import / time of the platform, jobs of 2 to 60 s
	maxRatioShort = 1.30             // the same, jobs of 0.5 s
	maxRatioJump  = 1.15             // the same, jobs that take 30 times as long as the ones before
	maxDelay      = 20 * time.Second // from the end of a job to the response that reports it
	maxAsked      = 25               // status requests per job
	maxAskedLong  = 400              // the same, a job of two hours: one request every 20 s, and a few at its start
)

// TestImportTimeAgainstPlatform compares the time of an import, one job at a time, with the time that
// the platform works on its jobs. Time is virtual, so the difference is the delay of polling alone.
func TestImportTimeAgainstPlatform(t *testing.T) {
	varying := func(d time.Duration) func(int) time.Duration {
		random := rand.New(rand.NewPCG(1, uint64(d)))
		return func(int) time.Duration { return time.Duration((0.8 + 0.4*random.Float64()) * float64(d)) }
	}
	long := varying(time.Minute)
	short := varying(2 * time.Second)
	tests := []struct {
		name     string
		takes    func(job int) time.Duration // called once for each job, in order
		maxRatio float64
		maxAsked int
	}{
		{"0.5 s ± 20%", varying(500 * time.Millisecond), maxRatioShort, maxAsked},
		{"2 s ± 20%", varying(2 * time.Second), maxRatio, maxAsked},
		{"5 s ± 20%", varying(5 * time.Second), maxRatio, maxAsked},
		{"8 s ± 20%", varying(8 * time.Second), maxRatio, maxAsked},
		{"15 s ± 20%", varying(15 * time.Second), maxRatio, maxAsked},
		{"30 s ± 20%", varying(30 * time.Second), maxRatio, maxAsked},
		{"60 s ± 20%", varying(time.Minute), maxRatio, maxAsked},
		{"2 s, 12 jobs of 60 s in the middle", func(job int) time.Duration {
			if job >= 14 && job < 26 {
				return long(job)
			}
			return short(job)
		}, maxRatioJump, maxAsked},
		{"2 s, the 20th job 2 hours", func(job int) time.Duration {
			if job == 19 {
				return 2 * time.Hour
			}
			return short(job)
		}, maxRatio, maxAskedLong},
	}
	fmt.Fprintln(t.Output(), "| jobs | time of the import / of the platform | status requests per job, mean | most | longest delay s | target |")
	fmt.Fprintln(t.Output(), "|---|---|---|---|---|---|")
	for _, test := range tests {
		p := &platform{takes: test.takes}
		took := p.importJobs(t)
		var worked, delay time.Duration
		asked, most := 0, 0
		for _, j := range p.jobs {
			worked += j.takes
			asked += j.asked
			most = max(most, j.asked)
			delay = max(delay, j.seen.Sub(j.uploaded)-j.takes)
		}
		ratio := float64(took) / float64(worked)
		fmt.Fprintf(t.Output(), "| %s | **%.2f** | %.1f | %d | %.1f | %.2f, %d requests |\n", test.name,
			ratio, float64(asked)/float64(len(p.jobs)), most, delay.Seconds(), test.maxRatio, test.maxAsked)
		if len(p.jobs) != polledJobs {
			t.Errorf("%s: %d jobs, want %d", test.name, len(p.jobs), polledJobs)
		}
		if ratio > test.maxRatio {
			t.Errorf("%s: the import takes %.2f times as long as the platform, want at most %.2f", test.name, ratio, test.maxRatio)
		}
		if delay > maxDelay {
			t.Errorf("%s: the end of a job is noticed after %s, want at most %s", test.name, delay, maxDelay)
		}
		if most > test.maxAsked {
			t.Errorf("%s: %d status requests for one job, want at most %d", test.name, most, test.maxAsked)
		}
	}
}

// importJobs imports polledJobs jobs in virtual time, one after another, and returns how long it took.
func (p *platform) importJobs(t *testing.T) (took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		c, err := threatconnect.NewClient("https://platform.example/api", threatconnect.HMAC(accessID, secretKey), threatconnect.WithTransport(p))
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err = c.Batch.Import(t.Context(), threatconnect.BatchConfig{
			Owner: owner, Attributes: threatconnect.WriteReplace, MaxItems: polledSize, WaitFor: 3 * time.Hour,
		}, threatconnect.BatchItems(hosts(polledJobs*polledSize)))
		if err != nil {
			t.Fatal(err)
		}
		took = time.Since(began)
	})
	return took
}

// platform is an [http.RoundTripper] that responds like the platform. It processes one job at a
// time and is called by one goroutine at a time.
type platform struct {
	takes func(job int) time.Duration
	jobs  []*polledJob
}

type polledJob struct {
	takes          time.Duration
	uploaded, seen time.Time // seen: first seen as completed
	asked          int
}

func (p *platform) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
	}
	_, path, _ := strings.Cut(req.URL.Path, "/v2/batch")
	if path == "" {
		p.jobs = append(p.jobs, &polledJob{takes: p.takes(len(p.jobs))})
		return reply(req, http.StatusOK, `{"status":"Success","data":{"batchId":`+strconv.Itoa(len(p.jobs))+`}}`), nil
	}
	id, err := strconv.Atoi(strings.TrimPrefix(path, "/"))
	if err != nil {
		return nil, fmt.Errorf("no answer for %s", path)
	}
	j := p.jobs[id-1]
	if req.Method == http.MethodPost {
		j.uploaded = time.Now()
		return reply(req, http.StatusAccepted, `{"status":"Queued"}`), nil
	}
	j.asked++
	status := `"Running"`
	if time.Since(j.uploaded) >= j.takes {
		j.seen = time.Now()
		status = fmt.Sprintf(`"Completed","errorCount":0,"successCount":%d,"unprocessCount":0`, polledSize)
	}
	return reply(req, http.StatusOK, fmt.Sprintf(`{"status":"Success","data":{"batchStatus":{"id":%d,"status":%s}}}`, id, status)), nil
}

func reply(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}
}
