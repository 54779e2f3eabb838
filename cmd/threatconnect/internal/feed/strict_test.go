package feed

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A server that is stricter than the SDK's test server fails one request in twenty. Every valid item is imported once.
func TestStrictServerWithFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			srv := newStrictServer(owner, seed, 0.05)
			feed, want, links := strictFeed()
			got := srv.env(t).feed(feed).run(t.Context(), "--input", "-", "--attributes", "append", "--json", "--max-bytes", "3072")
			s := reportOf(t, got)

			assert.Equal(t, 3, got.exit, got.stderr)
			assert.Empty(t, srv.complaints)
			assert.Equal(t, want, srv.indicators, "each once")
			assert.Equal(t, links, srv.linked, "each once")
			assert.EqualValues(t, len(want)+4, s.Imported)
			assert.EqualValues(t, 3, s.Invalid)
			assert.EqualValues(t, 20, s.Failed)
			assert.Zero(t, s.Unknown+s.Unprocessed)
			for kind := fault503; kind <= faultHTML; kind++ {
				assert.Positive(t, srv.struck[kind], "fault %d in %d requests", kind, srv.requests)
			}
		})
	}
}

// Files that are larger than the server accepts are split.
func TestStrictServerWithASmallLimit(t *testing.T) {
	t.Parallel()
	srv := newStrictServer(owner, 11, 0.05)
	feed, want, links := strictFeed()
	got := srv.env(t).feed(feed).run(t.Context(), "--input", "-", "--attributes", "append", "--json")
	assert.Equal(t, 3, got.exit, got.stderr)
	assert.Empty(t, srv.complaints)
	assert.Equal(t, want, srv.indicators, "each once")
	assert.Equal(t, links, srv.linked, "each once")
}

// strictFeed returns a feed of hosts and addresses, some with one of four groups, with 3 invalid lines and 20 hosts
// that only the server refuses. It also returns the indicators and links that the server must have in the end.
func strictFeed() (feed string, indicators, links map[string]int) {
	var b strings.Builder
	indicators, links = map[string]int{}, map[string]int{}
	for i := range 1000 {
		switch {
		case i%250 == 125: // groups come after some of the references to them
			fmt.Fprintf(&b, `{"group":{"type":"Threat","name":"Threat %d","xid":"x%d"}}`+"\n", i/250, i/250)
		case i%300 == 299:
			b.WriteString(`{"type":"Address","summary":"010.0.0.1"}` + "\n")
			continue
		}
		typ, value := "Host", fmt.Sprintf("host-%d.example.com", i)
		if i%4 == 0 {
			typ, value = "Address", fmt.Sprintf("203.0.113.%d", i/4)
		}
		if i%50 == 1 {
			fmt.Fprintf(&b, `{"type":"Host","summary":"not_for_all_%d.example.com"}`+"\n", i)
			continue
		}
		indicators[typ+" "+value]++
		group := ""
		if i%10 == 3 {
			xid := fmt.Sprintf("x%d", i/250)
			group = fmt.Sprintf(`,"groups":[%q]`, xid)
			links[value+" "+xid]++
		}
		fmt.Fprintf(&b, `{"type":%q,"summary":%q,"rating":3,"tags":["Botnet"],"attributes":[{"type":"Description","value":"v"}]%s}`+"\n", typ, value, group)
	}
	return b.String(), indicators, links
}
