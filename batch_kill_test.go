package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// killedDir and killedURL tell a process of this test binary that it is one that is to be killed: in
// which directory its spool is, and where the server.
const (
	killedDir = "THREATCONNECT_TEST_KILLED_DIR"
	killedURL = "THREATCONNECT_TEST_KILLED_URL"
)

const killedHosts = 120

// beKilled imports with a spool in a directory, as a program does that is started again and again.
func beKilled() int {
	srv := threatconnecttest.New() // for its credentials only
	client, err := threatconnect.NewClient(os.Getenv(killedURL), threatconnect.HMAC(srv.AccessID(), srv.SecretKey()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cfg := appendConfig()
	cfg.MaxItems, cfg.Concurrency, cfg.Spool, cfg.Run = 8, 2, threatconnect.NewDirSpool(os.Getenv(killedDir)), "today"
	cfg.RetryFor = time.Second
	items := slices.Insert(feed(killedHosts), killedHosts/2, threatconnect.BatchItem(threatconnect.NewMutex(killedPoison)))
	_, err = client.Batch.Import(context.Background(), cfg, threatconnect.BatchItems(slices.Values(items)))
	b, ok := errors.AsType[*threatconnect.BatchError](err)
	switch {
	case ok && b.Err == nil && len(b.Items) == killedHosts/10+1:
		return 0
	case ok && b.Kept:
		fmt.Fprintln(os.Stderr, err)
		return killedAgain
	}
	fmt.Fprintf(os.Stderr, "want the items that break a rule, the one that ends jobs, and nothing else: %v\n", err)
	return 1
}

const (
	killedPoison = "ends its job" // the value of an item at which the platform gives up
	killedAgain  = 3              // the code with which a process exits whose import can be resumed
)

// killer is a server that kills its client at a moment: before or after it has processed a request,
// or some time after that, while the client writes to its disk.
type killer struct {
	srv http.Handler

	mu    sync.Mutex
	down  int // requests until an outage; below zero there is none
	after int // requests until then; below zero never
	how   int
	wait  time.Duration
	kill  func()
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.after--
	k.down--
	now, how, wait, kill, down := k.after == 0, k.how, k.wait, k.kill, k.down > -outage && k.down <= 0
	k.mu.Unlock()
	if r.Header.Get("Content-Type") == "application/octet-stream" {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		text = bytes.Replace(text, []byte(`"summary":"`+killedPoison+`"`), []byte(`"summary":"`+killedPoison+`","firstSeen":"not a date"`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	}
	switch {
	case down && !now:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case !now:
		k.srv.ServeHTTP(w, r)
	case how == 0:
		kill()
		panic(http.ErrAbortHandler)
	case how == 1:
		k.srv.ServeHTTP(httptest.NewRecorder(), r)
		kill()
		panic(http.ErrAbortHandler)
	default:
		k.srv.ServeHTTP(w, r)
		time.AfterFunc(wait, kill)
	}
}

// outage is how many requests an outage refuses: more than a process makes before it gives up.
const outage = 60

// TestAnImportSurvivesBeingKilled kills real processes, with the signal that cannot be caught, at 200 seeded moments of
// an import. The platform gives up the jobs of one item, and processes also die in the search for it. Every other import
// has an outage, at which processes end by themselves. Every third one has many deaths, also right before its end. The
// processes mostly wait for the server, so many imports run at the same time.
func TestAnImportSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	var killed, ended atomic.Int64
	kills, imports := scaletest.N(int64(200)), scaletest.N(uint64(16)) // imports at the same time
	var workers sync.WaitGroup
	for worker := range imports {
		workers.Go(func() {
			for seed := worker; killed.Load() < kills && !t.Failed(); seed += imports {
				killSeeded(t, seed, &killed)
				ended.Add(1)
			}
		})
	}
	workers.Wait()
	t.Logf("%d processes were killed, in %d imports", killed.Load(), ended.Load())
	assert.GreaterOrEqual(t, killed.Load(), kills)
}

// killSeeded imports in processes that are killed until one ends by itself. It counts those that were
// killed.
func killSeeded(t *testing.T, seed uint64, killed *atomic.Int64) {
	random := rand.New(rand.NewPCG(seed, 2))
	polls := 1
	if scaletest.Stride() > 1 {
		polls = 0 // no waiting between two looks at a job
	}
	srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchPolls(polls))
	k := &killer{srv: srv, down: -outage}
	if seed%2 == 1 {
		k.down = 10 + random.IntN(60)
	}
	moments := 25
	if seed%3 == 2 {
		moments = 12
	}
	web := httptest.NewServer(k)
	defer web.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	for range 200 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		var shot atomic.Bool
		started := make(chan struct{})
		k.mu.Lock()
		k.after, k.how, k.wait = 1+random.IntN(moments), random.IntN(3), time.Duration(random.IntN(3000))*time.Microsecond
		k.kill = func() {
			<-started
			shot.Store(true)
			_ = cmd.Process.Kill() // it may have ended by itself
		}
		k.mu.Unlock()
		err := cmd.Start()
		close(started)
		if err == nil {
			err = cmd.Wait()
		}
		switch {
		case err == nil:
			checkFeed(t, srv, killedHosts)
			return
		case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == killedAgain:
			continue
		case !shot.Load():
			assert.Fail(t, "the process failed", "seed %d: %v: %s", seed, err, &stderr)
			return
		}
		killed.Add(1)
	}
	assert.Fail(t, "the import does not end", "seed %d", seed)
}
