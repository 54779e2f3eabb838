package lookup

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// newOutput returns an output for a terminal of this width, and the buffer that it writes to.
func newOutput(width int, color bool) (*output, *bytes.Buffer) {
	var stdout bytes.Buffer
	return &output{command: &command{env: &cli.Env{Stdout: &stdout}}, width: width, color: color}, &stdout
}

const sha256 = "275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F"

// sampleElements returns results with long values, with long lists, and without a record.
func sampleElements() []element {
	return []element{
		{Indicator: "https://login.invoices.example/verify?id=7", Found: true, Owners: []record{{
			Owner: "Example Source", Rating: new(4.0), Confidence: new(85),
			ThreatAssessRating: new(3.5), ThreatAssessConfidence: new(76.0), ThreatAssessScore: new(1000),
			Tags: []string{"Phishing", "Credential Theft", "Invoice Lure"},
		}}},
		{Indicator: sha256, Found: true, Owners: []record{{Owner: "Example Community", ThreatAssessScore: new(201)}}},
		{Indicator: "192.0.2.1"},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		width int
		want  string
	}{
		"no terminal": {0, `
INDICATOR                                                         OWNER              RATING  CONF.  TA RATING  TA CONF.  SCORE  TAGS
https://login.invoices.example/verify?id=7                        Example Source          4     85        3.5        76  1,000  Phishing, Credential Theft, Invoice Lure
275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F  Example Community       -      -          -         -    201  -
192.0.2.1                                                         (not found)             -      -          -         -      -  -
`},
		"wide terminal": {120, `
INDICATOR                                                         OWNER            RATING  CONF.  SCORE  TAGS
https://login.invoices.example/verify?id=7                        Example Source        4     85  1,000  Phishing,
                                                                                                         Credential
                                                                                                         Theft, Invoice
                                                                                                         Lure
275A021BBFB6489E54D471899F7DB9D1663FC695EC2FE2A2C4538AABF651FD0F  Example               -      -    201  -
                                                                  Community
192.0.2.1                                                         (not found)           -      -      -  -
`},
		"80 columns": {80, `
INDICATOR                       OWNER         RATING  CONF.  SCORE  TAGS
https://login.invoic…rify?id=7  Example            4     85  1,000  Phishing,
                                Source                              Credential
                                                                    Theft,
                                                                    Invoice Lure
275A021BBFB6489E54D4…BF651FD0F  Example            -      -    201  -
                                Community
192.0.2.1                       (not found)        -      -      -  -
`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, stdout := newOutput(tc.width, false)
			for _, e := range sampleElements() {
				o.addRows(&e)
			}
			require.NoError(t, o.writeTable())
			assert.Equal(t, strings.TrimPrefix(tc.want, "\n"), stdout.String())
		})
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	for width := minTable; width < 200; width++ {
		o, stdout := newOutput(width, false)
		for _, e := range sampleElements() {
			o.addRows(&e)
		}
		require.NoError(t, o.writeTable())
		for line := range strings.Lines(stdout.String()) {
			require.LessOrEqual(t, text.StringWidth(strings.TrimSuffix(line, "\n")), width, "at %d columns", width)
		}
	}
}

func TestNarrowTerminalOmitsTable(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]string{minTable - 1: "192.0.2.1 (Address) (not found)\n", minTable: ""} {
		o, stdout := newOutput(width, false)
		result := threatconnect.LookupResult{Ref: threatconnect.IndicatorRef{Type: threatconnect.TypeAddress, Value: "192.0.2.1"}}
		require.NoError(t, o.add(t.Context(), input{value: "192.0.2.1"}, result))
		assert.Equal(t, want, stdout.String())
	}
}

func TestScoreColors(t *testing.T) {
	t.Parallel()
	o, _ := newOutput(80, true)
	yellow, red, bold := "\x1b[33m", "\x1b[31m", "\x1b[1;31m"
	for score, want := range map[int]string{0: "", 200: "", 201: yellow, 500: yellow, 501: red, 800: red, 801: bold, 1000: bold} {
		got := o.score(&score)
		assert.Contains(t, got, cli.Number(int64(score)))
		assert.Equal(t, want != "", strings.HasPrefix(got, want) && got != cli.Number(int64(score)), "%d: %q", score, got)
	}
	for rating, score := range map[float64]int{0: 0, 1: 200, 2: 400, 2.5: 500, 3: 600, 4: 800, 5: 1000} {
		assert.Equal(t, o.paint(cli.Decimal(&rating, "-"), severity(score)...), o.rating(&rating))
	}
	assert.Equal(t, "-", o.score(nil)+strings.TrimPrefix(o.rating(nil), "-"))
	o, _ = newOutput(80, false)
	assert.Equal(t, "1,000", o.score(new(1000)), "NO_COLOR")
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"www.example":     "www.example",
		"www.example.com": "www.exam…com",
		"日本語日本語日本語":       "日本語日…語",
	} {
		got := shorten(in, 12)
		assert.Equal(t, want, got)
		assert.LessOrEqual(t, text.StringWidth(got), 12)
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o, stdout := newOutput(60, false)
	o.values = 1
	require.NoError(t, o.writeDetails(&element{
		Indicator: sha256, Type: "File", Found: true, Owners: []record{{
			Owner: "Example Source", Indicator: "44D88612FEA8A8F36DE82E1278ABB02F : " + sha256, Rating: new(4.0), Confidence: new(85),
			ThreatAssessRating: new(3.5), ThreatAssessConfidence: new(76.0), ThreatAssessScore: new(712), CALScore: new(600),
			Active: new(false), Observations: new(int64(12)), LastObserved: at, FalsePositives: new(int64(0)), DateAdded: at,
			Description: "A file that is used in tests\nof all scanners in the world.", Source: "https://blog.example/a/link/that/is/longer/than/a/line/of/the/terminal",
			WebLink: "https://tc.example/?x=1&y=2", Tags: []string{"Test", "EICAR"}, SecurityLabels: []string{"TLP:AMBER"},
			Attributes: []attribute{
				{"Description", "A file that is used in tests\nof all scanners in the world."},
				{"Description", "Another one \x1b[31m."}, {"Phase", "1"},
			},
			Groups: []group{{1, "Incident", "Lures"}, {2, "Adversary", "Bear"}},
		}},
	}))
	assert.Equal(t, sha256+` (File)
ThreatAssess    score 712 of 1,000, rating 3.5 of 5,
                confidence 76 of 100
CAL             score 600

Example Source
Rating          4 of 5
Confidence      85 of 100
Status          inactive
Added           2026-01-02 03:04 UTC
Observations    12, the last one on 2026-01-02 03:04 UTC
False positives 0
All values      44D88612FEA8A8F36DE82E1278ABB02F
                275A021BBFB6489E54D471899F7DB9D1663FC695EC2F
                E2A2C4538AABF651FD0F
Tags            Test, EICAR
Security labels TLP:AMBER
Description     A file that is used in tests of all scanners
                in the world.
Source          https://blog.example/a/link/that/is/longer/than/a/line/of/the/terminal
Attributes      Description: Another one �[31m.
                Phase: 1
Groups          Incident: Lures
                Adversary: Bear
Link            https://tc.example/?x=1&y=2
`, stdout.String())
}

func TestDetailsShowTheFirstGroups(t *testing.T) {
	t.Parallel()
	o, stdout := newOutput(0, false)
	require.NoError(t, o.writeDetails(&element{Indicator: "a.example", Found: true, Owners: []record{{Groups: make([]group, 1200+maxGroups)}}}))
	assert.Contains(t, stdout.String(), " 1,200 more; --json lists all\n")
}

// Text from the platform cannot control the terminal.
func TestOutputEscapesPlatformText(t *testing.T) {
	t.Parallel()
	const evil = "a\x1b[2J\u202eb"
	e := element{Indicator: evil, Type: evil, Found: true, Owners: []record{{
		Owner: evil, Indicator: evil + " : " + evil, Tags: []string{evil}, SecurityLabels: []string{evil}, Description: evil, Source: evil,
		Attributes: []attribute{{evil, evil}}, Groups: []group{{1, evil, evil}}, WebLink: evil,
	}}}
	o, stdout := newOutput(0, false)
	o.addRows(&e)
	require.NoError(t, o.writeTable())
	require.NoError(t, o.writeDetails(&e))
	assert.NotContains(t, stdout.String(), "\x1b")
	assert.NotContains(t, stdout.String(), "\u202e")
	assert.Contains(t, stdout.String(), cli.Clean(evil))
}

func TestDetailsFromServer(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, srv.Seed(&threatconnecttest.IndicatorRecord{Owner: "Example Source", Type: "Host", Summary: "evil.example", Assessed: &threatconnecttest.ThreatAssess{Score: 900, CALScore: 700}}))
	host := threatconnect.IndicatorRef{Type: threatconnect.TypeHost, Value: "evil.example", Owner: "Example Source"}
	client := srv.Client()
	require.NoError(t, client.Indicators.Observe(t.Context(), host, threatconnect.Observation{Count: 3, Date: time.Now().Add(-time.Hour)}))
	_, err := client.Indicators.ReportFalsePositive(t.Context(), host)
	require.NoError(t, err)
	r := run(t, served(t, srv), "", "evil[.]example")
	assert.Equal(t, cli.Success, r.code, r.stderr)
	for _, want := range []string{
		"evil.example (Host)\n", "ThreatAssess    score 900 of 1,000", "CAL             score 700\n", "\nExample Source\n",
		"Observations    3, the last one on 20", "False positives 1, the last one on 20", "Status          active", "Link            https://",
	} {
		assert.Contains(t, r.stdout, want)
	}
	assert.Empty(t, r.stderr)
}

// Groups that cannot be read are reported as an error of the value, and the rest is shown.
func TestDetailsWithUnreadableGroups(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t)
	require.NoError(t, fill(srv))
	require.NoError(t, srv.Inject(threatconnecttest.Fault{Kind: threatconnecttest.FaultStatus, Status: 400, Route: "/v2/indicators/{type}/{indicator}/groups", Times: -1}))
	r := run(t, served(t, srv), "", "billing@invoices.example")
	assert.Equal(t, cli.Failure, r.code)
	assert.Contains(t, r.stdout, "Tags            Phishing")
	assert.Contains(t, r.stderr, `billing@invoices.example: GET /v2/indicators/emailAddresses/{}/groups: 400`)
}
