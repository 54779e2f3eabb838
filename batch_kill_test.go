package threatconnect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
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
	_, err = client.Batch.Import(context.Background(), cfg, threatconnect.BatchItems(slices.Values(feed(killedHosts))))
	if b, ok := errors.AsType[*threatconnect.BatchError](err); !ok || b.Err != nil || len(b.Items) != killedHosts/10 {
		fmt.Fprintf(os.Stderr, "want the items that break a rule and nothing else: %v\n", err)
		return 1
	}
	return 0
}

// killer is a server that kills its client at a moment: before or after it has processed a request,
// or some time after that, while the client writes to its disk.
type killer struct {
	srv http.Handler

	mu    sync.Mutex
	after int // requests until then; below zero never
	how   int
	wait  time.Duration
	kill  func()
}

func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	k.after--
	now, how, wait, kill := k.after == 0, k.how, k.wait, k.kill
	k.mu.Unlock()
	switch {
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

// TestAnImportSurvivesBeingKilled kills real processes, with the signal that cannot be caught, at 200
// seeded moments of an import, or at 20 with -short. The processes mostly wait for the server, so that
// many imports run at the same time.
func TestAnImportSurvivesBeingKilled(t *testing.T) {
	t.Parallel()
	var killed, ended atomic.Int64
	kills, imports := int64(200), uint64(16) // imports at the same time
	if testing.Short() {
		kills, imports = 20, 2
	}
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
	if testing.Short() {
		polls = 0 // no waiting between two looks at a job
	}
	srv := threatconnecttest.New(threatconnecttest.WithBatchPolls(polls))
	k := &killer{srv: srv}
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
		k.after, k.how, k.wait = 1+random.IntN(25), random.IntN(3), time.Duration(random.IntN(3000))*time.Microsecond
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
		case !shot.Load():
			assert.Fail(t, "the process failed", "seed %d: %v: %s", seed, err, &stderr)
			return
		}
		killed.Add(1)
	}
	assert.Fail(t, "the import does not end", "seed %d", seed)
}

func TestDirSpoolIsLockedAgainstOtherProcesses(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	web := httptest.NewServer(srv)
	defer web.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	spool := threatconnect.NewDirSpool(dir)
	require.NoError(t, spool.Open(t.Context()))
	defer spool.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killedDir+"="+dir, killedURL+"="+web.URL+"/api")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "in use by another")
	assert.Zero(t, len(srv.Requests()))
}
