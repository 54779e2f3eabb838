package threatconnect_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/scaletest"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// something is an indicator with one of few values, so that feeds and owners overlap. keys are the
// values that it is compared by: of a file, each of its hashes.
type something struct {
	typ  threatconnect.IndicatorType
	keys []string
	item threatconnect.Indicator
}

// aThing returns the nth of about 100 indicators. Files share hashes.
func aThing(n uint) something {
	which, n := n%5, n/5%20
	switch which {
	case 0:
		name := fmt.Sprintf("H%d.Example", n)
		return something{threatconnect.TypeHost, []string{strings.ToLower(name)}, threatconnect.NewHost(name)}
	case 1:
		name := fmt.Sprintf("m%d", n)
		return something{threatconnect.TypeMutex, []string{name}, threatconnect.NewMutex(name)}
	case 2:
		tag := fmt.Sprintf("#Tag%d", n)
		return something{threatconnect.TypeHashtag, []string{strings.ToLower(tag)}, threatconnect.NewHashtag(tag)}
	case 3:
		ip := fmt.Sprintf("192.0.2.%d", n)
		return something{threatconnect.TypeAddress, []string{ip}, threatconnect.NewAddress(ip)}
	}
	f := &threatconnect.File{MD5: fmt.Sprintf("%032X", n)}
	keys := []string{f.MD5}
	if n%3 > 0 {
		f.SHA1 = fmt.Sprintf("%040X", n)
		keys = append(keys, f.SHA1)
	}
	if n%3 > 1 {
		f.MD5, keys = "", keys[1:]
	}
	return something{threatconnect.TypeFile, keys, f}
}

// oracle computes the indicators that Reconcile must leave in an owner.
func oracle(owner []string, feed []something, types []threatconnect.IndicatorType) (left []string) {
	current, covered := map[string]bool{}, map[string]bool{}
	for _, t := range types {
		covered[string(t)] = true
	}
	for _, s := range feed {
		if len(types) == 0 {
			covered[string(s.typ)] = true
		}
		for _, key := range s.keys {
			current[string(s.typ)+"|"+key] = true
		}
	}
	for _, have := range owner {
		typ, value, _ := strings.Cut(have, "|")
		kept := !covered[typ]
		for key := range strings.SplitSeq(value, " : ") {
			kept = kept || current[typ+"|"+key]
		}
		if kept {
			left = append(left, have)
		}
	}
	return left
}

func FuzzReconcile(f *testing.F) {
	f.Add([]byte("abcdefghij"), []byte("abc"), byte(0))
	f.Add([]byte{0, 1, 2, 3, 4, 9, 14, 19, 24}, []byte{4, 19}, byte(0))
	f.Add([]byte{0, 5, 10, 15}, []byte{1, 5}, byte(3))
	f.Add([]byte{255, 254, 253, 4}, []byte{0}, byte(31))
	all := []threatconnect.IndicatorType{threatconnect.TypeHost, threatconnect.TypeMutex, threatconnect.TypeHashtag, threatconnect.TypeAddress, threatconnect.TypeFile}
	f.Fuzz(func(t *testing.T, owner, current []byte, mask byte) {
		srv := threatconnecttest.New()
		for _, n := range owner {
			s := aThing(uint(n))
			_ = srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: string(s.typ), Summary: s.item.Summary()}) // may exist already
		}
		before := held(srv)
		cfg := sweep()
		cfg.PageSize, cfg.Ahead = 1+int(mask)%7, int(mask)%3
		for i, typ := range all {
			if mask&(1<<i) != 0 {
				cfg.Types = append(cfg.Types, typ)
			}
		}
		var feed []something
		var items []threatconnect.BatchItem
		for _, n := range current {
			s := aThing(uint(n))
			feed = append(feed, s)
			items = append(items, s.item)
		}
		report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, setOf(items...))
		if report.Total.Current == 0 {
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			require.Equal(t, before, held(srv))
			return
		}
		require.NoError(t, err)
		want := oracle(before, feed, cfg.Types)
		require.ElementsMatch(t, want, held(srv))
		assert.EqualValues(t, len(before)-len(want), report.Total.Removed)
		assert.Equal(t, report.Total.Removed, report.Total.Stale)
		var sum threatconnect.ReconcileCounts
		for _, c := range report.Types {
			sum.Listed += c.Listed
			sum.Stale += c.Stale
			sum.Removed += c.Removed
		}
		assert.Equal(t, threatconnect.ReconcileCounts{Listed: sum.Listed, Stale: sum.Stale, Removed: sum.Removed, Current: report.Total.Current}, report.Total)
	})
}

// TestReconcileAgreesWithTheOracleBeyondMemory checks Reconcile with more indicators than fit into MaxBytes.
func TestReconcileAgreesWithTheOracleBeyondMemory(t *testing.T) {
	t.Parallel()
	n := scaletest.Size(12_000)
	srv := threatconnecttest.NewT(t, threatconnecttest.WithRequestLog(0))
	random := rand.New(rand.NewPCG(7, 7))
	var feed []something
	for i := range n {
		name := fmt.Sprintf("%sx%d.example", strings.Repeat("x.", random.IntN(240_000/n)), i)
		typ, value, item := threatconnect.TypeHost, name, threatconnect.Indicator(threatconnect.NewHost(name))
		if i%3 == 0 {
			typ, value, item = threatconnect.TypeFile, fmt.Sprintf("%032X", i), threatconnect.NewFile(fmt.Sprintf("%032x", i))
		}
		if random.IntN(10) > 0 {
			hold(t, srv, string(typ)+"|"+value)
		}
		if random.IntN(10) > 0 {
			feed = append(feed, something{typ, []string{value}, item})
		}
	}
	random.Shuffle(len(feed), func(i, j int) { feed[i], feed[j] = feed[j], feed[i] })
	before := held(srv)
	cfg := threatconnect.ReconcileConfig{Owner: batchOwner, MaxBytes: 256 << 10, Dir: t.TempDir(), PageSize: 1000}
	files := 0
	cfg.OnStale = func(threatconnect.IndicatorType, string) {
		left, _ := os.ReadDir(cfg.Dir)
		files = max(files, len(left))
	}
	report, err := srv.Client().Batch.Reconcile(t.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
		for _, s := range feed {
			if !yield(s.item, nil) {
				return
			}
		}
	})
	require.NoError(t, err)
	want := oracle(before, feed, nil)
	assert.Equal(t, want, held(srv))
	assert.EqualValues(t, len(before)-len(want), report.Total.Removed)
	assert.Greater(t, report.Share, 0.05)
	if os.PathSeparator == '/' {
		assert.Zero(t, files, "open files have no name")
	}
}

// meddling is a transport that calls meddle before each page of a list of hosts. Another user adds and
// removes indicators, so that the offsets of the pages move.
type meddling struct {
	srv    *threatconnecttest.Server
	meddle func()
}

func (m *meddling) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/v2/indicators/hosts") {
		m.meddle()
	}
	return m.srv.RoundTrip(req)
}

// A list may change while it is read. Only the current set, which does not change, decides which
// indicators are stale.
func TestReconcileKeepsFeedWhileListChanges(t *testing.T) {
	t.Parallel()
	missed, unlisted := 0, 0
	for seed := range scaletest.N(uint64(60)) {
		random := rand.New(rand.NewPCG(seed, 1))
		srv := threatconnecttest.New()
		other := srv.Client() // another user
		current := map[string]bool{}
		var items []threatconnect.BatchItem
		name := func() string { return fmt.Sprintf("h%d.example", random.IntN(200)) }
		for range 60 {
			n := name()
			current[n] = true
			items = append(items, threatconnect.NewHost(n))
		}
		for range 150 {
			_ = srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "Host", Summary: name()}) // may exist already
		}
		removedByOthers := map[string]bool{}
		m := &meddling{srv: srv, meddle: func() {
			for range random.IntN(6) {
				n := name()
				if random.IntN(2) == 0 {
					_ = other.InOwner(batchOwner).Indicators.Hosts.Delete(t.Context(), n) // may be gone
					removedByOthers[n] = true
					continue
				}
				if err := srv.Seed(&threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: "Host", Summary: n}); err == nil {
					delete(removedByOthers, n)
				}
			}
		}}
		before := map[string]bool{}
		for _, have := range held(srv) {
			before[strings.TrimPrefix(have, "Host|")] = true
		}
		told := map[string]int{}
		cfg := sweep()
		cfg.PageSize = 7
		cfg.OnStale = func(_ threatconnect.IndicatorType, summary string) { told[summary]++ }
		report, err := srv.Client(threatconnect.WithTransport(m)).Batch.Reconcile(t.Context(), cfg, setOf(items...))
		require.NoError(t, err)
		left := map[string]bool{}
		for _, have := range held(srv) {
			left[strings.TrimPrefix(have, "Host|")] = true
		}
		for n := range current {
			require.Zero(t, told[n], "seed %d: an indicator in the feed is stale", seed)
			if before[n] && !removedByOthers[n] {
				require.True(t, left[n], "seed %d: an indicator in the feed was removed", seed)
			}
		}
		for _, times := range told {
			require.Equal(t, 1, times)
		}
		require.EqualValues(t, len(told), report.Total.Removed)
		for n := range left {
			if !current[n] {
				missed++
			}
		}
		if report.Total.Listed < int64(len(before)) {
			unlisted++
		}
	}
	assert.Positive(t, missed, "no stale indicator was missed, so no list moved")
	assert.Positive(t, unlisted, "no list had missing indicators, so no list moved")
}

// spelling returns a random spelling of the nth value of a type. The server keeps spellings apart.
func spelling(random *rand.Rand, typ string, n int) string {
	one := func(spellings ...string) string { return spellings[random.IntN(len(spellings))] }
	word := []byte(fmt.Sprintf("word%cx", 'a'+n))
	for i := range word {
		word[i] -= byte(random.IntN(2) * ('a' - 'A'))
	}
	w := string(word)
	switch typ {
	case "URL":
		return fmt.Sprintf("http://e%d.example%s/%s%s%s", n, one("", ":80"), one("~", "%7E", "%7e", "%257e"), w, one("", "/", "//"))
	case "Registry Key":
		return `HKEY_LOCAL_MACHINE\` + w + " : v : REG_SZ"
	case "Hashtag":
		return one("", "#") + w
	case "Coin":
		return "btc : " + w
	}
	return one("", " ") + w + one(" ", "  ") + "(x)" + one("", " ")
}

// hashOf returns the nth hash of a kind.
func hashOf(kind, n int) string { return fmt.Sprintf("%0*X", []int{32, 40, 64}[kind], n+1) }

// TestReconcileNeverTouchesAnySpellingInFeed checks that indicators in the feed do not change, in
// any spelling, while Reconcile deletes or retires and another user adds other spellings and merges files.
func TestReconcileNeverTouchesAnySpellingInFeed(t *testing.T) {
	t.Parallel()
	const values = 12 // of each type
	types := []string{"Coin", "Email Subject", "Hashtag", "Mutex", "Registry Key", "URL", "User Agent", "File"}
	var total threatconnect.ReconcileCounts
	reasons := map[string]int64{}
	for seed := range scaletest.N(uint64(60)) {
		random := rand.New(rand.NewPCG(seed, 2))
		srv := holding(t)
		other := srv.Client(threatconnect.WithOwner(batchOwner))
		valueOf := map[string]int{} // of the owner's indicators, by type and summary in the server's form
		hashes := map[string]bool{} // hashes that the owner was given
		add := func() {
			typ, n := types[random.IntN(len(types))], random.IntN(values)
			r := threatconnecttest.IndicatorRecord{Owner: batchOwner, Type: typ, Rating: new(3.0)}
			if typ == "File" {
				r.Summary = hashOf(random.IntN(3), n)
			} else {
				r.Summary = spelling(random, typ, n)
			}
			if err := srv.Seed(&r); err == nil { // may exist already
				valueOf[typ+"|"+r.Summary] = n
				hashes[r.Summary] = typ == "File"
			}
		}
		for range 150 {
			add()
		}
		feed, current := map[string]bool{}, []threatconnect.BatchItem{threatconnect.NewHost("kept.example")}
		for range 40 {
			typ, n := types[random.IntN(len(types))], random.IntN(values)
			item := threatconnect.BatchItem(threatconnect.NewFile(hashOf(n%3, n)))
			key := hashOf(n%3, n)
			if typ != "File" {
				text := spelling(random, typ, n)
				key = fmt.Sprint(typ, n)
				switch typ {
				case "Coin":
					item = threatconnect.NewCustomIndicator("Coin", "BTC", text[len("btc : "):])
				case "Email Subject":
					item = threatconnect.NewEmailSubject(text)
				case "Hashtag":
					item = threatconnect.NewHashtag(text)
				case "Mutex":
					item = threatconnect.NewMutex(text)
				case "Registry Key":
					item = threatconnect.NewRegistryKey(strings.TrimSuffix(text, " : v : REG_SZ"), "v", "reg_sz")
				case "URL":
					item = threatconnect.NewURL("HTTP" + text[len("http"):])
				case "User Agent":
					item = threatconnect.NewUserAgent(text)
				}
			}
			feed[key], current = true, append(current, item)
		}
		m := wiretest.Func(func(req *http.Request) (*http.Response, error) {
			upload := isUpload(req)
			if (req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/indicators") || upload) && random.IntN(2) == 0 {
				add()
				n := random.IntN(values)
				file := &threatconnect.File{MD5: hashOf(0, n), SHA1: hashOf(1, (n+1)%values), SHA256: hashOf(2, (n+5)%values)}
				if random.IntN(2) == 0 {
					file.SHA1 = ""
				}
				retired := false // a file that merges with a retired one gets its tag
				for _, hash := range []string{file.MD5, file.SHA1, file.SHA256} {
					have, _ := srv.Indicator(batchOwner, "File", hash)
					retired = retired || slices.Contains(have.Tags, "Stale")
				}
				if !retired {
					_, err := other.Batch.Import(t.Context(), appendConfig(), setOf(file))
					assert.NoError(t, err)
					hashes[file.MD5], hashes[file.SHA1], hashes[file.SHA256] = true, true, true
				}
			}
			return srv.RoundTrip(req)
		})
		cfg := sweep()
		cfg.PageSize, cfg.Concurrency = 7, 1 // otherwise a file could merge between the two requests for another file
		for _, typ := range types {
			cfg.Types = append(cfg.Types, threatconnect.IndicatorType(typ))
		}
		if seed%2 == 1 {
			cfg.Retire = &threatconnect.Retirement{ClearScores: true, Tag: "Stale"}
		}
		report, err := srv.Client(threatconnect.WithTransport(m)).Batch.Reconcile(t.Context(), cfg, setOf(current...))
		require.NoError(t, err, "seed %d", seed)
		total.Removed += report.Total.Removed
		for reason, n := range report.SparedReasons {
			reasons[reason] += n
		}

		retired := map[string]bool{} // by value, or by hash
		for _, r := range srv.Indicators(batchOwner) {
			is := slices.Contains(r.Tags, "Stale") || r.Rating != nil && *r.Rating == 0
			retired[r.Type+"|"+r.Summary] = is
			for hash := range strings.SplitSeq(r.Summary, " : ") {
				retired[hash] = is
			}
		}
		for item, n := range valueOf {
			typ, summary, _ := strings.Cut(item, "|")
			key := item
			if typ != "File" && !feed[fmt.Sprint(typ, n)] || typ == "File" && !feed[summary] {
				continue
			}
			if typ == "File" {
				key = summary
			}
			is, there := retired[key]
			require.True(t, there, "seed %d: %s was removed", seed, item)
			require.False(t, is, "seed %d: %s was retired", seed, item)
		}
		for hash, file := range hashes {
			if file && feed[hash] {
				is, there := retired[hash]
				require.True(t, there, "seed %d: %s was removed", seed, hash)
				require.False(t, is, "seed %d: %s was retired", seed, hash)
			}
		}
	}
	assert.Greater(t, total.Removed, scaletest.N(int64(1000)))
	assert.Greater(t, reasons["is in the current set in another spelling"], scaletest.N(int64(1000)))
	assert.Greater(t, reasons["has another hash since it was listed"], int64(20))
}

// BenchmarkReconcile reads an owner and finds a tenth of it stale. held-KiB is the memory in use, which
// does not grow with the owner.
func BenchmarkReconcile(b *testing.B) {
	for _, n := range []int{5_000, 50_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := threatconnecttest.New(threatconnecttest.WithRequestLog(0))
			for i := range n {
				hold(b, srv, fmt.Sprintf("Host|h%d.example", i))
			}
			client := srv.Client()
			live := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			base, most := live(), uint64(0)
			stale := 0
			cfg := threatconnect.ReconcileConfig{Owner: batchOwner, DryRun: true, MaxBytes: 256 << 10, PageSize: 1000, Dir: b.TempDir()}
			cfg.OnStale = func(threatconnect.IndicatorType, string) {
				if stale++; stale%1000 == 1 {
					most = max(most, live())
				}
			}
			for b.Loop() {
				report, err := client.Batch.Reconcile(b.Context(), cfg, func(yield func(threatconnect.BatchItem, error) bool) {
					for i := range n - n/10 {
						if !yield(threatconnect.NewHost(fmt.Sprintf("h%d.example", i)), nil) {
							return
						}
					}
				})
				require.NoError(b, err)
				require.EqualValues(b, n/10, report.Total.Stale)
			}
			b.ReportMetric(float64(most-min(most, base))/1024, "held-KiB")
		})
	}
}
