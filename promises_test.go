package threatconnect

import (
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/importer/errorlist"
)

// TestThePromisesHaveTheNumbersOfTheCode reads the package's documentation: a number that changes in
// the code must change there.
func TestThePromisesHaveTheNumbersOfTheCode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	doc := strings.Join(strings.Fields(strings.ReplaceAll(string(text), "\n//", " ")), " ")
	p := RetryPolicy{}.withDefaults()
	log, err := (&LogsService{}).NewHandler(nil)
	require.NoError(t, err)
	tr := (&config{base: &url.URL{}}).newTransport()
	for promise, holds := range map[string]bool{
		"until it has made 5 attempts ([RetryPolicy])":                   p.MaxAttempts == 5,
		"so a call sends at most 6 requests":                             p.MaxAttempts+1 == 6,
		"doubles from 250 ms to 20 s":                                    p.BaseDelay == 250*time.Millisecond && p.MaxDelay == 20*time.Second,
		"If Retry-After is over 2 minutes":                               p.MaxWait == 2*time.Minute,
		"It ignores an offset over 24 hours":                             mostOffset == 24*time.Hour,
		"Responses: up to 64 MiB ([WithMaxResponseBytes])":               defaultMaxBody == 64<<20,
		"Response headers: up to 1 MiB":                                  tr.MaxResponseHeaderBytes == 1<<20,
		"[ListOptions].Ahead pages (at most 32)":                         maxAhead == 32,
		"256 KiB in a CSV report":                                        mostRow == 256<<10,
		"1 MiB in a list of errors":                                      errorlist.MaxObject == 1<<20,
		"buffers of 32 KiB, or 64 KiB for malware":                       contentChunk == 32<<10 && zipWindow == 64<<10,
		"A [LogHandler]: 10,000 entries or 16 MiB of messages":           log.b.most == 10_000 && mostLogBytes == 16<<20,
		"transfers no data for 2 minutes times out ([WithStallTimeout])": defaultStall == 2*time.Minute,
	} {
		assert.True(t, holds, "the code does not hold %q", promise)
		assert.Contains(t, doc, promise)
	}
}
