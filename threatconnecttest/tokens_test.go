package threatconnecttest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// A client renews its token with the token alone. It sends no signature, and one client appends a
// slash to the path.
func TestTokenRenewal(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	owners := func(token string) int {
		return w.send(line{method: "GET", target: "/api/v2/owners", token: true, bearer: token}).status
	}
	first := w.srv.Token()
	w.want(401, line{method: "GET", target: "/api/appAuth", bare: true})
	w.want(401, line{method: "GET", target: "/api/appAuth?expiredToken=wrong", bare: true})
	assert.Equal(t, first, w.srv.Token())

	renewed := w.want(200, line{method: "GET", target: "/api/appAuth/?expiredToken=" + url.QueryEscape(first), bare: true})
	assert.Equal(t, true, renewed.at("success"))
	second := renewed.at("apiToken").(string)
	assert.Equal(t, second, w.srv.Token())
	assert.Equal(t, 200, owners(first), "a renewal alone invalidates no token")
	assert.Equal(t, 200, owners(second))

	w.srv.ExpireToken()
	assert.Equal(t, 401, owners(first))
	assert.Equal(t, 401, owners(second))
	third := w.want(200, line{method: "GET", target: "/api/appAuth?expiredToken=" + url.QueryEscape(first), bare: true}).at("apiToken").(string)
	assert.NotContains(t, []string{first, second}, third)
	assert.Equal(t, 401, owners(second))
	assert.Equal(t, 200, owners(third))
	for _, r := range w.srv.Requests() {
		assert.Equal(t, r.Status != 401, r.Verified, r.Path)
	}
}

// The SDK continues with a token source that renews its token.
func TestClientRenewsToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := New()
		held, asked := srv.Token(), 0
		client := srv.ClientAs(threatconnect.TokenFunc(func(ctx context.Context) (string, time.Time, error) {
			asked++
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.BaseURL()+"/appAuth?expiredToken="+url.QueryEscape(held), nil)
			if err != nil {
				return "", time.Time{}, err
			}
			resp, err := srv.RoundTrip(req)
			if err != nil {
				return "", time.Time{}, err
			}
			defer resp.Body.Close()
			var answer struct {
				APIToken        string `json:"apiToken"`
				APITokenExpires int64  `json:"apiTokenExpires"`
			}
			b, err := io.ReadAll(resp.Body)
			if err == nil {
				err = json.Unmarshal(b, &answer)
			}
			held = answer.APIToken
			return held, time.Unix(answer.APITokenExpires, 0), err
		}))
		whoami := func() {
			t.Helper()
			_, err := client.Owners.Whoami(t.Context())
			require.NoError(t, err)
		}
		whoami()
		whoami()
		assert.Equal(t, 1, asked)
		srv.ExpireToken()
		whoami()
		assert.Equal(t, 2, asked, "a refused token is renewed")
		time.Sleep(tokenLife)
		whoami()
		assert.Equal(t, 3, asked, "a token is renewed at its expiry")
		assert.Equal(t, held, srv.Token())
	})
}
