package cli

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestCheckOwners(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.New()
	owners, err := CheckOwners(t.Context(), srv.Client(), "Example Source")
	require.NoError(t, err)
	assert.Len(t, owners, 3)
	_, err = CheckOwners(t.Context(), srv.Client(), "Example Source", "Nobody")
	require.EqualError(t, err, `the API user sees no owner "Nobody"; it sees "Example Organization", "Example Community", "Example Source"`)

	srv.Inject(threatconnecttest.Fault{
		Kind: threatconnecttest.FaultStatus, Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"application/json"}},
		Body: `{"status":"Failure","message":"The requested resource was not found"}`,
	})
	_, err = CheckOwners(t.Context(), srv.Client())
	require.ErrorIs(t, err, errNoOwners)
}

// silence never answers.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestCheckOwnersDoesNotWaitForSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, err := threatconnect.NewClient("https://tc.example.com/api", threatconnect.Token("token"), threatconnect.WithTransport(silence{}))
		require.NoError(t, err)
		started := time.Now()
		_, err = CheckOwners(t.Context(), client)
		assert.Equal(t, errNoAnswer.Error(), Explain(err))
		assert.Less(t, time.Since(started), 15*time.Second)
	})
}
