package sandbox

import (
	"bufio"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recorded is an exchange from testdata/exchanges of package threatconnecttest.
type recorded struct {
	Name, Oddities string
	Clock          time.Time
	Requests       []recordedRequest
}

type recordedRequest struct {
	Method, Target, Body string
	Headers              []string
	Answer               struct {
		Status       int
		JSON         json.RawMessage
		Gzip         json.RawMessage `json:"gzippedJSON"`
		Text, Base64 string
	}
}

// replay sends a request of an exchange and returns the response.
func (d desk) replay(in recordedRequest) (status int, body string) {
	d.Helper()
	length := ""
	if in.Body != "" {
		length = fmt.Sprintf("Content-Length: %d\r\n", len(in.Body))
	}
	if strings.Contains(strings.ToLower(strings.Join(in.Headers, "\n")), "transfer-encoding") {
		length, in.Body = "", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(in.Body), in.Body)
	}
	text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n%s\r\n%s\r\n%s", in.Method, in.Target, strings.Join(in.Headers, "\r\n"), length, in.Body)
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	require.NoError(d, err)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func readRecorded(t *testing.T, file string) (all []recorded) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &all))
	return all
}

// The exchanges of package threatconnecttest can be replayed against the sandbox with its control API, as their README
// says.
func TestExchangesAreReplayed(t *testing.T) {
	t.Parallel()
	const folder = "../../../../threatconnecttest/testdata/exchanges"
	files, err := filepath.Glob(folder + "/*.json")
	require.NoError(t, err)
	seed := readRecorded(t, folder+"/seed.json")[0]
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour) // the clocks in the files show the start of the bubble, and offsets must not be 0
		d := newDesk(t, options{})
		for _, file := range files {
			for _, x := range readRecorded(t, file) {
				d.call("POST", "reset", "")
				d.call("PUT", "clock", fmt.Sprintf(`{"offset": %q}`, time.Until(x.Clock)))
				if x.Name != seed.Name {
					for _, in := range seed.Requests {
						d.replay(in)
					}
				}
				if x.Oddities != "" {
					d.call("PUT", "oddities", fmt.Sprintf(`{"on": [%q]}`, x.Oddities))
				}
				for _, in := range x.Requests {
					status, body := d.replay(in)
					require.Equal(t, in.Answer.Status, status, "%s: %s", x.Name, body)
					switch want := in.Answer; {
					case want.JSON != nil:
						assert.JSONEq(t, string(want.JSON), body, x.Name)
					case want.Base64 != "":
						assert.Equal(t, want.Base64, base64.StdEncoding.EncodeToString([]byte(body)), x.Name)
					case want.Gzip != nil:
						z, err := gzip.NewReader(strings.NewReader(body))
						require.NoError(t, err)
						text, err := io.ReadAll(z)
						require.NoError(t, err)
						assert.JSONEq(t, string(want.Gzip), string(text), x.Name)
					default:
						assert.Equal(t, want.Text, body, x.Name)
					}
				}
			}
		}
	})
}
