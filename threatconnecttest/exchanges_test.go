package threatconnecttest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// exchange is a sequence of requests to a new, seeded server, with the responses.
type exchange struct {
	Name     string    `json:"name"`
	Route    string    `json:"route,omitempty"` // route of the last request
	Oddities Oddity    `json:"oddities,omitzero"`
	Clock    time.Time `json:"clock"`
	Turns    []turn    `json:"requests"`
}

// newRecorded returns the server for an exchange.
func newRecorded(t *testing.T) *Server {
	t.Helper()
	s := New()
	require.NoError(t, s.SetBulkReports("Example Organization", BulkReports{JSON: true, CSV: true}))
	return s
}

// turn is a request with its response.
type turn struct {
	Method string   `json:"method"`
	Target string   `json:"target"`
	Fields []string `json:"headers,omitempty"`
	Body   string   `json:"body,omitempty"`
	Answer reaction `json:"answer"`
}

// reaction is a response. At most one of the bodies is set.
type reaction struct {
	Status int               `json:"status"`
	Header map[string]string `json:"headers,omitempty"`
	JSON   json.RawMessage   `json:"json,omitempty"`
	Gzip   json.RawMessage   `json:"gzippedJSON,omitempty"`
	Text   string            `json:"text,omitempty"`
	Bytes  []byte            `json:"base64,omitempty"`
}

// stage is a server for one exchange.
type stage struct {
	*testing.T
	srv *Server
	ids map[string]string // IDs of the seed, by item name
	exchange
}

// seed is the state of a server after the requests at the start of every exchange.
type seed struct {
	data *Snapshot
	ids  map[string]string // as in stage
}

func (from seed) newStage(t *testing.T, name string, odd Oddity) *stage {
	t.Helper()
	s := &stage{t, newRecorded(t), from.ids, exchange{Name: name, Oddities: odd, Clock: time.Now().UTC()}}
	s.srv.Restore(from.data)
	s.srv.SetOddities(odd)
	return s
}

// play makes a successful request and records it with its response.
func (s *stage) play(l line) reply {
	s.Helper()
	r := s.request(l)
	require.Equal(s, 2, r.status/100, "%s: %s %s: %s", s.Name, l.method, l.target, r.raw)
	return r
}

// request makes a request and records it with its response.
func (s *stage) request(l line) reply {
	s.Helper()
	fields := l.fields(s.srv, time.Now())
	a := answerInProcess(s.T, s.srv, onWire("127.0.0.1", l.method, l.target, fields, l.body))
	s.Turns = append(s.Turns, turn{l.method, l.target, fields, l.body, a})
	r := reply{status: a.Status, raw: string(a.JSON) + a.Text}
	if a.JSON != nil {
		require.NoError(s, json.Unmarshal(a.JSON, &r.json))
	}
	return r
}

// answerInProcess processes the bytes of a request as a port would.
func answerInProcess(t *testing.T, h http.Handler, request string) reaction {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
	require.NoError(t, err)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	a := reaction{Status: rec.Code, Header: map[string]string{}}
	for name := range maps.Keys(rec.Header()) {
		if name != "Date" {
			a.Header[name] = rec.Header().Get(name)
		}
	}
	b := rec.Body.Bytes()
	switch {
	case rec.Header().Get("Content-Encoding") == "gzip":
		z, err := gzip.NewReader(bytes.NewReader(b))
		require.NoError(t, err)
		a.Gzip, err = io.ReadAll(z)
		require.NoError(t, err)
	case rec.Header().Get("Content-Type") == jsonType:
		a.JSON = slices.Clone(b)
	case utf8.Valid(b):
		a.Text = string(b)
	default:
		a.Bytes = b
	}
	return a
}

// exchangeFiles makes all exchanges and returns them by file name.
func exchangeFiles(t *testing.T) map[string][]exchange {
	t.Helper()
	files := map[string][]exchange{}
	synctest.Test(t, func(t *testing.T) {
		first := &stage{t, newRecorded(t), map[string]string{}, exchange{Name: "seed", Clock: time.Now().UTC()}}
		first.seed()
		files["seed"] = []exchange{first.exchange}
		seeded := seed{first.srv.Snapshot(), first.ids}
		for _, r := range allRoutes() {
			noun := strings.Split(strings.TrimPrefix(r.pattern, "/v2"), "/")[1]
			files[noun] = append(files[noun], exchangeOfRoute(t, seeded, r))
		}
		for name, scripts := range map[string][]script{"clients": linesOfClients, "disputed": disputed, "clientBatches": batchesOfClients()} {
			for _, s := range scripts {
				files[name] = append(files[name], s.play(t, seeded))
			}
		}
	})
	return files
}

const exchangeFolder = "testdata/exchanges"

// The server must respond as in the exchanges, in process and over a port. UPDATE=1 writes the files.
func TestExchanges(t *testing.T) {
	t.Parallel()
	compareExchanges(t, exchangeFiles(t))
	replayExchanges(t)
}

func compareExchanges(t *testing.T, files map[string][]exchange) {
	t.Helper()
	var routes, names []string
	for file, all := range files {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", " ")
		require.NoError(t, e.Encode(all))
		file = filepath.Join(exchangeFolder, file+".json")
		if os.Getenv("UPDATE") == "1" {
			require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
		}
		have, err := os.ReadFile(file)
		require.NoError(t, err)
		want := strings.Split(b.String(), "\n")
		for i, have := range strings.Split(string(have), "\n") {
			if i < len(want) && want[i] == have {
				continue
			}
			require.Less(t, i, len(want), "%s is too long: run this test with UPDATE=1", file)
			require.Equal(t, want[i], have, "%s:%d: run this test with UPDATE=1", file, i+1)
		}
		assert.Len(t, have, b.Len(), "%s is too short: run this test with UPDATE=1", file)
		for _, x := range all {
			names = append(names, x.Name)
			if x.Route != "" {
				routes = append(routes, x.Route)
			}
		}
	}
	assert.ElementsMatch(t, Routes(), routes)
	slices.Sort(names)
	assert.Len(t, slices.Compact(names), len(names), "two exchanges have the same name")
	kept, err := filepath.Glob(filepath.Join(exchangeFolder, "*.json"))
	require.NoError(t, err)
	assert.Len(t, kept, len(files), "obsolete exchange files")
}

// replayExchanges checks that the files are complete. It sends their requests to a port and compares
// the statuses and headers.
func replayExchanges(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(exchangeFolder, "*.json"))
	require.NoError(t, err)
	seed := readExchanges(t, filepath.Join(exchangeFolder, "seed.json"))[0]
	var srv *Server
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { srv.ServeHTTP(w, r) }))
	t.Cleanup(port.Close)
	n := 0
	for _, file := range files {
		for _, x := range readExchanges(t, file) {
			if n++; n%scaletest.Stride() != 0 {
				continue
			}
			srv = newRecorded(t)
			srv.SetClockOffset(time.Until(x.Clock))
			if x.Name != seed.Name {
				for _, u := range seed.Turns {
					answerInProcess(t, srv, onWire("127.0.0.1", u.Method, u.Target, u.Fields, u.Body))
				}
			}
			srv.SetOddities(x.Oddities)
			w := wireClient{t, srv, port.Listener.Addr().String()}
			for _, u := range x.Turns {
				got := w.sendBytes(u.Method, onWire(w.addr, u.Method, u.Target, u.Fields, u.Body))
				require.Equal(t, u.Answer.Status, got.status, "%s: %s", x.Name, got.raw)
				for name, value := range u.Answer.Header {
					require.Equal(t, value, got.header.Get(name), "%s: %s", x.Name, name)
				}
			}
		}
	}
}

func readExchanges(t *testing.T, file string) []exchange {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []exchange
	require.NoError(t, json.Unmarshal(b, &all), file)
	return all
}
