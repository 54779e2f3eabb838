package feed

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestPreflightReportsCause(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified, threatconnecttest.LapseUnknownRoutes))
	require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: "Library", Type: "Source", ReadOnly: true}))
	e := to(t, srv)
	off := to(t, threatconnecttest.NewT(t, threatconnecttest.WithBatchOff()))
	odd := threatconnecttest.NewT(t, threatconnecttest.WithOddities(threatconnecttest.OddityForbiddenBatch))
	require.NoError(t, odd.Seed(&threatconnecttest.Owner{Name: "Library", Type: "Source", ReadOnly: true}))
	token := env{vars: map[string]string{"TC_BASE_URL": e.vars["TC_BASE_URL"], "TC_TOKEN": "expired", "TC_OWNER": owner}}
	for name, c := range map[string]struct {
		env  env
		want string
	}{
		"a wrong secret":                {e.with("TC_SECRET_KEY", "wrong"), "check TC_ACCESS_ID and TC_SECRET_KEY"},
		"a wrong token":                 {token, "get a new one for TC_TOKEN"},
		"a base URL without /api":       {e.with("TC_BASE_URL", strings.TrimSuffix(e.vars["TC_BASE_URL"], "/api")), "is /api missing"},
		"an invalid base URL":           {e.with("TC_BASE_URL", "tc.example/api"), "base URL"},
		"an unknown owner":              {e.with("TC_OWNER", "Nobody"), `the API user sees no owner "Nobody"; it sees "Example`},
		"a read-only owner":             {e.with("TC_OWNER", "Library"), `the API user may not import into the owner "Library": give it a role`},
		"a read-only owner, in 403":     {to(t, odd).with("TC_OWNER", "Library"), `may not import into the owner "Library"`},
		"an instance without batch API": {off, "the instance has no batch API"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := reportOf(t, c.env.feed("one.example\n").run(t.Context(), "--input", "-", "--json"))
			assert.Equal(t, 1, s.Exit)
			assert.Contains(t, s.Message, c.want)
			assert.Zero(t, s.Read, "the feed is not read")
		})
	}
}

func TestPreflightJobCompletes(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	assert.Equal(t, 0, to(t, srv).feed("one.example\n").run(t.Context(), "--input", "-").exit)
	jobs := srv.Jobs()
	require.Len(t, jobs, 2)
	st, err := srv.Client().Batch.Status(t.Context(), jobs[0].ID)
	require.NoError(t, err)
	assert.Equal(t, threatconnect.JobCompleted, st.State, "it ends by itself")
	assert.Zero(t, st.Errors)
}

func TestPreflightSurvivesALostUpload(t *testing.T) {
	t.Parallel()
	for _, kind := range []threatconnecttest.FaultKind{threatconnecttest.FaultStatus, threatconnecttest.FaultReset, threatconnecttest.FaultLostReply, threatconnecttest.FaultHTML} {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: kind, Method: http.MethodPost, Route: "/v2/batch/{id}"}))
		r := to(t, srv).feed("one.example\n").run(t.Context(), "--input", "-")
		assert.Equal(t, 0, r.exit, r.stderr)
	}
}

func TestClosedPortFailsQuickly(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	e := to(t, threatconnecttest.NewT(t)).with("TC_BASE_URL", "http://"+l.Addr().String()+"/api").feed("one.example\n")
	began := time.Now()
	s := reportOf(t, e.run(t.Context(), "--input", "-", "--json"))
	assert.Equal(t, 1, s.Exit)
	assert.Contains(t, s.Message, "connection refused")
	assert.Less(t, time.Since(began), 15*time.Second)
}

// A run fails within 15 seconds if the host accepts connections but never answers.
func TestUnresponsiveHostFailsQuickly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultDelay, Delay: time.Hour, Times: -1}))
		began := time.Now()
		im := inBubble(t, srv, time.Minute, "one.example\n")
		err := im.importAll(t.Context())
		im.progress.close()
		require.Error(t, err)
		assert.Contains(t, cause(t.Context(), err), "does not answer")
		assert.Less(t, time.Since(began), 15*time.Second)
		assert.Contains(t, im.env.Stderr.(*buffer).String(), "The platform has not answered GET /v2/owners for 10 seconds. Waiting.")
	})
}

// inBubble returns an importer that reaches srv without a network, for use in a synctest bubble.
func inBubble(t *testing.T, srv *threatconnecttest.Server, retryFor time.Duration, feed string) *importer {
	t.Helper()
	c := &config{input: "-", owner: owner, attributes: threatconnect.WriteSingleton, retryFor: retryFor, allowDocumentation: true, format: feeds.FormatList}
	env := &cli.Env{Stdin: strings.NewReader(feed), Stdout: io.Discard, Stderr: &buffer{}, Getenv: func(string) string { return "" }}
	p := newProgress(env, retryFor)
	return &importer{
		cfg: c, env: env, log: slog.New(slog.DiscardHandler), progress: p, sum: newSummary(c), began: newRun(),
		client: srv.Client(threatconnect.WithObserver(p.observer())),
	}
}

func TestOutageIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		im := inBubble(t, srv, time.Minute, "one.example\n")
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: http.MethodPost, Route: "/v2/batch", Skip: 1, Times: -1}))
		began := time.Now()
		err := im.importAll(t.Context())
		require.Error(t, err)
		took := time.Since(began)
		assert.Greater(t, took, 40*time.Second, "the next backoff would exceed --retry-for")
		assert.Less(t, took, 2*time.Minute)
		im.progress.close()
		said := im.env.Stderr.(*buffer).String()
		messages := strings.Count(said, "The platform does not answer (POST /v2/batch: 503 Service Unavailable). Retrying until 00:01:0")
		assert.GreaterOrEqual(t, messages, 3, said)
		assert.LessOrEqual(t, messages, int(took/(10*time.Second)), said)
	})
}

func TestShortOutageIsNotReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t)
		im := inBubble(t, srv, time.Minute, "one.example\n")
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Method: http.MethodPost, Route: "/v2/batch", Skip: 1, Times: 2}))
		require.NoError(t, im.importAll(t.Context()))
		im.progress.close()
		assert.NotContains(t, im.env.Stderr.(*buffer).String(), "does not answer")
		assert.EqualValues(t, 1, im.sum.Imported)
	})
}
