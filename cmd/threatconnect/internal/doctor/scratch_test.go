package doctor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// TestCleanUpAfterStop stops the command at each of its requests, one per run. Nothing may be left behind.
func TestCleanUpAfterStop(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		stopped := false
		synctest.Test(t, func(t *testing.T) {
			srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
			fill(t, srv)
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			n := 0
			c := inProcess(srv, func() {
				if n++; n == at {
					stop(errors.New("interrupted"))
				}
			})
			code := c.run(ctx, "--write", "Example Community")
			stopped = ctx.Err() != nil
			time.Sleep(time.Hour) // in virtual time, so that running jobs end
			srv.Jobs()
			requireUntouched(t, srv)
			if !stopped {
				assert.Equal(t, 0, code)
				return
			}
			assert.Equal(t, 1, code)
			assert.Contains(t, c.err.String(), "threatconnect doctor: stopped: interrupted")
			assert.Contains(t, c.out.String(), " 0 failed, ", "an interrupted check has not failed")
		})
		if !stopped {
			assert.Greater(t, at, 30, "the command was stopped at every request")
			return
		}
	}
}

// TestCleanUpAfterErrors makes requests of --write fail. Nothing may be left behind.
func TestCleanUpAfterErrors(t *testing.T) {
	t.Parallel()
	for _, kind := range []threatconnecttest.FaultKind{threatconnecttest.FaultStatus, threatconnecttest.FaultLostReply, threatconnecttest.FaultTruncate, threatconnecttest.FaultHTML} {
		for _, f := range []threatconnecttest.Fault{
			{Method: "POST", Route: "/v2/batch"}, {Method: "POST", Route: "/v2/batch/{id}"}, {Method: "GET", Route: "/v2/batch/{id}"},
			{Method: "GET", Route: "/v2/batch/{id}/errors"}, {Method: "GET", Route: "/v2/indicators/{type}/{indicator}", Skip: 1},
			{Method: "POST", Route: "/v2/indicators/{type}"}, {Method: "DELETE", Route: "/v2/groups/{type}/{id}"}, {Method: "DELETE", Route: "/v2/tags/{tagName}"},
		} {
			for _, times := range []int{1, 2} {
				synctest.Test(t, func(t *testing.T) {
					srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Second))
					fill(t, srv)
					f.Kind, f.Times = kind, times
					require.NoError(t, srv.Inject(f))
					inProcess(srv, func() {}).run(t.Context(), "--write", "Example Community")
					assert.NotZero(t, srv.FaultCounts()[kind], "%s %s", f.Method, f.Route)
					time.Sleep(time.Hour)
					srv.Jobs()
					requireUntouched(t, srv)
				})
			}
		}
	}
}

func TestLeftovers(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	fill(t, srv)
	for _, route := range []string{"/v2/groups/{type}/{id}", "/v2/indicators/{type}/{indicator}", "/v2/tags/{tagName}"} {
		require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 403, Method: "DELETE", Route: route, Times: -1}))
	}
	c := newClinic(serve(t, srv), srv)
	assert.Equal(t, 1, c.run(t.Context(), "--write", "Example Community"))
	groups := srv.Groups("Example Community")
	require.Len(t, groups, 2)
	for _, want := range []string{
		"clean-up          failed       7 things could not be removed\n", fmt.Sprintf("threat %d (", groups[0].ID), fmt.Sprintf("incident %d (", groups[1].ID), "host " + c.exam.label + ".example (", "tag " + c.exam.label + " (", "tag " + c.exam.label + "-2 (", "file ",
	} {
		assert.Contains(t, c.out.String(), want)
	}
}

// The doctor reports an item that still exists after a confirmed deletion.
func TestFalselyConfirmedDeletion(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	fill(t, srv)
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 200, Body: `{"status":"Success"}`, Method: "DELETE", Times: -1}))
	c := newClinic(serve(t, srv), srv)
	assert.Equal(t, 1, c.run(t.Context(), "--write", "Example Community"))
	assert.Contains(t, c.out.String(), "which may still be there")
}
