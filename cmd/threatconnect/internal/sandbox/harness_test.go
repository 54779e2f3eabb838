package sandbox

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// sign signs a request for target, which can differ from the request's own.
func sign(r *http.Request, srv *threatconnecttest.Server, target string) {
	now := time.Now()
	r.Header.Set("Timestamp", strconv.FormatInt(now.Unix(), 10))
	r.Header.Set("Authorization", "TC "+srv.AccessID()+":"+threatconnect.Sign(srv.SecretKey(), r.Method, target, now))
}

// upload runs a batch job in Example Source.
func upload(t *testing.T, srv *threatconnecttest.Server, content string) {
	t.Helper()
	c := srv.Client()
	id, err := c.Batch.Create(t.Context(), threatconnect.BatchJob{Owner: "Example Source", Attributes: threatconnect.WriteAppend})
	require.NoError(t, err)
	_, err = c.Batch.Upload(t.Context(), id, strings.NewReader(content))
	require.NoError(t, err)
}
