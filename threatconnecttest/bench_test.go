package threatconnecttest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hosts returns a batch file of n unique hosts. more is added to each host.
func hosts(from, n int, more string) string {
	var b strings.Builder
	b.WriteString(`{"indicator":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"Host","summary":"host-%d.example.com","rating":3,"confidence":50%s}`, from+i, more)
	}
	b.WriteString(`]}`)
	return b.String()
}

func (r rig) quickBatch(content string) {
	made := r.must(201, "POST", "/v2/batch", config())
	require.Equal(r, 202, r.upload(int(made.at("data", "batchId").(float64)), content).status)
}

// runFile runs a batch file without uploading it.
func runFile(s *Server, action, content string) *job {
	j := &job{config: batchConfig{version: "V2", owner: s.owners[2], action: action, attributes: "Append"}, content: []byte(content)}
	s.run(&s.settings, j, s.now())
	return j
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The memory of the server must not hide the memory of a test that imports a million indicators.
func TestServerMemoryPerIndicator(t *testing.T) {
	for name, tc := range map[string]struct {
		opts []Option
		most float64 // bytes per host
	}{
		"with contents":    {nil, 220},
		"without contents": {[]Option{WithoutContents()}, 60},
	} {
		r := newRig(t, append(tc.opts, WithRequestLog(0))...)
		const n = 12_500
		files := []string{hosts(0, n/2, ""), hosts(n/2, n/2, "")}
		before := heap()
		for _, f := range files {
			r.quickBatch(f)
		}
		per := float64(heap()-before) / n
		require.Equal(t, n, r.srv.Counts(source).Indicators)
		require.Less(t, per, tc.most, "%s: bytes per host", name)
		t.Logf("%s: %.0f bytes per host", name, per)
		runtime.KeepAlive(files)
	}
}

func BenchmarkBatchOf25000Hosts(b *testing.B) {
	for name, more := range map[string]string{"bare": "",
		"whole": `,"attribute":[{"type":"Description","value":"seen"}],"tag":[{"name":"A"},{"name":"B"}],"associatedGroups":[{"groupXid":"x"}]`} {
		b.Run(name, func(b *testing.B) {
			s := New(WithoutContents(), WithRequestLog(0))
			require.NoError(b, s.Seed(&GroupRecord{Owner: source, Type: "Threat", Name: "x", XID: "x"}))
			content := hosts(0, 25_000, more)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				runFile(s, "Create", content)
			}
		})
	}
}

func BenchmarkPageOf10000(b *testing.B) {
	s := New(WithRequestLog(0))
	for i := range 10_000 {
		require.NoError(b, s.Seed(&IndicatorRecord{Type: "Host", Summary: fmt.Sprintf("host-%d.example.com", i)}))
	}
	req, err := http.NewRequest(http.MethodGet, s.BaseURL()+"/v2/indicators?resultLimit=10000", nil)
	require.NoError(b, err)
	req.Header.Set("Authorization", "TC-Token "+s.Token())
	b.ReportAllocs()
	for b.Loop() {
		resp, err := s.RoundTrip(req)
		require.NoError(b, err)
		require.Equal(b, 200, resp.StatusCode)
	}
}

// Finding, listing and unlinking a group with many indicators uses its links and does not scan its
// owner.
func BenchmarkGroupOf100000Hosts(b *testing.B) {
	for b.Loop() {
		s := New(WithRequestLog(0))
		require.NoError(b, s.Seed(&GroupRecord{Owner: source, Type: "Threat", Name: "x", XID: "x"}))
		for n := range 4 {
			runFile(s, "Create", hosts(n*25_000, 25_000, `,"associatedGroups":[{"groupXid":"x"}]`))
		}
		require.Len(b, s.Groups(source)[0].Indicators, 100_000)
		for n := range 4 {
			runFile(s, "Delete", hosts(n*25_000, 25_000, ""))
		}
		require.Empty(b, s.Groups(source)[0].Indicators)
	}
}

// BenchmarkSignedGet measures a signed GET with a full request log.
func BenchmarkSignedGet(b *testing.B) {
	for _, way := range []string{"in process", "over a port"} {
		b.Run(way, func(b *testing.B) {
			s := New(WithRequestLog(defaultRequests))
			base, client := s.BaseURL(), &http.Client{Transport: s}
			if way == "over a port" {
				port := &http.Transport{MaxIdleConnsPerHost: 16}
				defer port.CloseIdleConnections()
				base, client = s.Listen(b), &http.Client{Transport: port}
			}
			get := func() error {
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, base+"/v2/owners", nil)
				if err != nil {
					return err
				}
				want := signing{secret: s.SecretKey(), target: "/api/v2/owners", method: http.MethodGet, stamp: strconv.FormatInt(time.Now().Unix(), 10)}
				req.Header.Set("Timestamp", want.stamp)
				req.Header.Set("Authorization", "TC "+s.AccessID()+":"+want.signature())
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				defer resp.Body.Close()
				if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
					err = errors.New(resp.Status)
				}
				return err
			}
			for range defaultRequests {
				require.NoError(b, get())
			}
			b.ReportAllocs()
			b.SetParallelism(4)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := get(); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}
