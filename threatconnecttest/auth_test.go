package threatconnecttest

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ secret, target, method, want string }{
		{secret: "secret", target: "/v2/owners", method: "GET", want: "6jy36dIubhuo3RrR8Y/6qQjNuOdFNF49FeMrmB5dHYY="},
		{secret: "secret", target: "/v2/batch", method: "POST", want: "dyDr6n+JVAq4z9mBolo5KfkotKhZjkxHLZxclREg7aQ="},
		{
			secret: "S3cr3t$with!special",
			target: "/api/v2/indicators/hosts/www.example.com?includeAdditional=true&owner=Example%20Organization",
			method: "GET",
			want:   "rCx/SqFmemoBn8U8BbjRF3/W6Sg6QIiuTt1Z4lsBdbk=",
		},
	} {
		assert.Equal(t, v.want, signing{secret: v.secret, target: v.target, method: v.method, stamp: "1700000000"}.signature())
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		change  func(*Server, *http.Request)
		status  int
		message string
	}{
		{name: "a valid signature is accepted", change: func(*Server, *http.Request) {}, status: 200},
		{name: "a token is accepted without a timestamp", change: func(s *Server, r *http.Request) {
			r.Header.Del("Timestamp")
			r.Header.Set("Authorization", "TC-Token "+s.Token())
		}, status: 200},
		{name: "header names may be lower case", change: func(_ *Server, r *http.Request) {
			for _, name := range []string{"Timestamp", "Authorization"} {
				v := r.Header.Get(name)
				r.Header.Del(name)
				r.Header[map[string]string{"Timestamp": "timestamp", "Authorization": "authorization"}[name]] = []string{v}
			}
		}, status: 200},
		{
			name:    "missing credentials are refused",
			change:  func(_ *Server, r *http.Request) { r.Header.Del("Authorization") },
			status:  401,
			message: msgAccessDenied,
		},
		{name: "a wrong access ID is refused", change: func(_ *Server, r *http.Request) {
			r.Header.Set("Authorization", "TC 1:"+r.Header.Get("Authorization"))
		}, status: 401, message: msgAccessDenied},
		{
			name:    "an expired token is refused",
			change:  func(_ *Server, r *http.Request) { r.Header.Set("Authorization", "TC-Token old") },
			status:  401,
			message: msgUnauthorized,
		},
		{
			name:    "a timestamp that is not a number is refused",
			change:  func(_ *Server, r *http.Request) { r.Header.Set("Timestamp", "now") },
			status:  401,
			message: msgBadTimestamp,
		},
		{name: "a timestamp that is not the signed one is refused", change: func(_ *Server, r *http.Request) {
			n, _ := strconv.Atoi(r.Header.Get("Timestamp"))
			r.Header.Set("Timestamp", strconv.Itoa(n-1))
		}, status: 401, message: msgSignature},
		{
			name:    "a query that is not the signed one is refused",
			change:  func(_ *Server, r *http.Request) { r.URL.RawQuery = "resultLimit=1" },
			status:  401,
			message: msgSignature,
		},
		{
			name:    "a wrong signature is refused",
			change:  func(_ *Server, r *http.Request) { r.Header.Set("Authorization", "TC "+accessID+":AAAA") },
			status:  401,
			message: msgSignature,
		},
		{
			name:    "a clock six minutes behind is refused",
			change:  func(s *Server, _ *http.Request) { s.SetClockOffset(6 * time.Minute) },
			status:  401,
			message: msgTimestamp,
		},
		{
			name:    "a clock six minutes ahead is refused",
			change:  func(s *Server, _ *http.Request) { s.SetClockOffset(-6 * time.Minute) },
			status:  401,
			message: msgTimestamp,
		},
		{name: "a clock four minutes ahead is accepted", change: func(s *Server, _ *http.Request) { s.SetClockOffset(-4 * time.Minute) }, status: 200},
		{name: "plain HTTP is refused", change: func(_ *Server, r *http.Request) { r.URL.Scheme = "http" }, status: 403, message: msgHTTPS},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			req := r.request("GET", "/v2/owners", "")
			tc.change(r.srv, req)
			got := r.send(req)
			require.Equal(t, tc.status, got.status, got.raw)
			switch tc.message {
			case "":
			case msgSignature: // sent as plain text
				assert.Equal(t, tc.message, got.raw)
			default:
				assert.Equal(t, tc.message, message(got))
				assert.Equal(t, "Failure", got.at("status"))
			}
		})
	}
}

func TestDateHeaderUsesClockOffset(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.srv.SetClockOffset(-2 * time.Hour)
	got := r.get("/v2/owners")
	assert.Equal(t, msgTimestamp, message(got))
	at, err := http.ParseTime(got.header.Get("Date"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(-2*time.Hour), at, 5*time.Second)
}

func TestWithoutLicenseReturns503(t *testing.T) {
	t.Parallel()
	r := newRig(t, WithoutLicense())
	got := r.must(503, "GET", "/v2/owners", "")
	assert.Contains(t, message(got), "API access has not been licensed")
}
