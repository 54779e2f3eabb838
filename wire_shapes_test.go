package threatconnect_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// everyShape returns each oddity of the test server alone, all together, and none.
func everyShape() map[string]threatconnecttest.Oddity {
	sets := map[string]threatconnecttest.Oddity{"none": 0, "all": threatconnecttest.OddityAll}
	for bit := threatconnecttest.Oddity(1); bit < threatconnecttest.OddityAll; bit <<= 1 {
		sets[fmt.Sprintf("oddity %b", bit)] = bit
	}
	return sets
}

// uploadBodies returns the batch files that the server received.
func uploadBodies(srv *threatconnecttest.Server) (all []string) {
	for _, r := range srv.Requests() {
		if r.Route == "/v2/batch/{id}" && r.Method == http.MethodPost {
			all = append(all, string(r.Body))
		}
	}
	return all
}

// TestImportWithEveryResponseShape imports items that cause all kinds of responses of the batch API: a
// file that is too large, item errors of all kinds, and the content of a document.
func TestImportWithEveryResponseShape(t *testing.T) {
	t.Parallel()
	for name, shape := range everyShape() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(shape), threatconnecttest.WithBatchDuration(time.Minute),
					threatconnecttest.WithLateErrors(1), threatconnecttest.WithBatchLimit(3000))
				w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
				require.NoError(t, err)
				bad := []threatconnect.Attribute{{Type: "No Such Type", Value: "x"}}
				file := threatconnect.NewFile("d41d8cd98f00b204e9800998ecf8427e")
				file.SHA1, file.Attributes = "da39a3ee5e6b4b0d3255bfef95601890afd80709", bad
				group := batchGroup("x-1")
				group.Attributes = bad
				addAll(t, w, group, file, batchHost(2, "x-nowhere"), batchHost(3, "x-1"),
					&threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte("text"))})
				for n := range 40 {
					addAll(t, w, batchHost(10+n))
				}
				err = w.Close(t.Context())
				assert.ElementsMatch(t, []string{
					"0 Threat x-1: 0x2002",
					"1 File D41D8CD98F00B204E9800998ECF8427E : DA39A3EE5E6B4B0D3255BFEF95601890AFD80709: 0x2001",
					"2 Association : 0x1007",
				}, failures(t, err))
				s := w.Stats()
				assert.Equal(t, threatconnect.BatchCounts{Added: 43, Succeeded: 42, Failed: 1}, s.Indicators)
				assert.Equal(t, threatconnect.BatchCounts{Added: 2, Succeeded: 1, Failed: 1}, s.Groups)
				assert.Equal(t, threatconnect.BatchCounts{Added: 1, Failed: 1}, s.Links)
				assert.Equal(t, threatconnect.BatchCounts{Added: 1, Succeeded: 1}, s.Contents)
				assert.Greater(t, s.Jobs, int64(2), "the first file was too large")
				assert.Equal(t, "text", contentOf(t, srv, "d-1"))
				for _, h := range srv.Indicators(batchOwner) {
					assert.LessOrEqual(t, len(h.Attributes), 1, h.Summary)
				}
			})
		})
	}
}

func TestBatchOperationsReadEveryResponseShape(t *testing.T) {
	t.Parallel()
	const file = `{"indicator":[{"type":"Host","summary":"a.example"},{"type":"Host","summary":"not a host"}]}`
	for name, shape := range everyShape() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(shape), threatconnecttest.WithBatchDuration(time.Minute))
				client := srv.Client()
				id, err := client.Batch.Create(t.Context(), appendJob())
				require.NoError(t, err)
				assert.EqualValues(t, 1, id)
				st, err := client.Batch.Upload(t.Context(), id, strings.NewReader(file))
				require.NoError(t, err)
				assert.Equal(t, threatconnect.JobQueued, st.State)
				for _, err := range client.Batch.Errors(t.Context(), id) {
					require.ErrorIs(t, err, threatconnect.ErrBadRequest, "the job is still running")
				}
				st, err = client.Batch.Wait(t.Context(), id)
				require.NoError(t, err)
				assert.Equal(t, []any{int64(1), threatconnect.JobCompleted, 1, 1, 0}, []any{st.ID, st.State, st.Success, st.Errors, st.Unprocessed})
				var codes []threatconnect.BatchCode
				for range 2 { // the error file can be late
					for e, err := range client.Batch.Errors(t.Context(), id) {
						require.NoError(t, err)
						assert.Equal(t, "not a host", e.Ref)
						codes = append(codes, e.Code)
					}
				}
				assert.Contains(t, codes, threatconnect.CodeIndicator)
				for e, err := range client.Batch.Results(t.Context(), id, nil) {
					require.NoError(t, err)
					assert.Equal(t, threatconnect.CodeIndicator, e.Code)
				}
			})
		})
	}
}

func TestSynchronousJobReturnsCounts(t *testing.T) {
	t.Parallel()
	const file = `{"indicator":[{"type":"Host","summary":"a.example"},{"type":"Host","summary":"not a host"}]}`
	for name, shape := range everyShape() {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(shape), threatconnecttest.WithSynchronousBatch(1000))
		st, err := srv.Client().Batch.CreateAndUpload(t.Context(), appendJob(), strings.NewReader(file))
		require.NoError(t, err, name)
		assert.Equal(t, threatconnect.BatchStatus{State: threatconnect.JobCompleted, Success: 1, Errors: 1, SuccessIndicators: 1, ErrorIndicators: 1}, *st,
			"%s: there is no ID to read the errors with", name)

		large := strings.NewReader(file + strings.Repeat(" ", 1000))
		st, err = srv.Client().Batch.CreateAndUpload(t.Context(), appendJob(), large)
		require.NoError(t, err, name)
		assert.EqualValues(t, 1, st.ID, name)
	}
}

func TestImportOfAssociationsOnlyReportsErrors(t *testing.T) {
	t.Parallel()
	for _, shape := range []threatconnecttest.Oddity{0, threatconnecttest.OddityAssociationsApart, threatconnecttest.OddityAssociationsApart | threatconnecttest.OddityMissingCounts} {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(shape))
		for _, xid := range []string{"x-1", "x-2", "x-3"} {
			require.NoError(t, srv.Seed(&threatconnecttest.GroupRecord{Type: "Threat", Name: xid, XID: xid, Owner: batchOwner}))
		}
		link := func(from, to string) *threatconnect.Association {
			return &threatconnect.Association{From: threatconnect.GroupEnd(from), To: threatconnect.GroupEnd(to)}
		}
		w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
		require.NoError(t, err)
		addAll(t, w, link("x-1", "x-2"), link("x-3", "x-1"), link("x-2", "x-nowhere"), link("x-2", "x-1"))
		err = w.Close(t.Context())
		assert.Equal(t, []string{"2 Association : 0x1007"}, failures(t, err), "even if the total number of errors is 0")
		assert.Equal(t, threatconnect.BatchCounts{Added: 3, Succeeded: 2, Failed: 1}, w.Stats().Associations)
		assert.EqualValues(t, 1, w.Stats().Duplicates)
		g, _ := srv.Group("x-1")
		assert.ElementsMatch(t, []string{"x-2", "x-3"}, g.Groups)
	}
}

func TestBatchFileListsAreInOrder(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithRecordedBodies(1<<20))
	w, err := srv.Client().Batch.NewWriter(t.Context(), appendConfig())
	require.NoError(t, err)
	addAll(t, w,
		&threatconnect.Association{From: threatconnect.IndicatorEnd(batchHost(1)), To: threatconnect.GroupEnd("x-2")},
		batchHost(1, "x-1"), batchGroup("x-1"), batchGroup("x-2"),
	)
	require.NoError(t, w.Close(t.Context()))
	bodies := uploadBodies(srv)
	require.NotEmpty(t, bodies)
	assert.Len(t, bodies, 1)
	last := -1
	for _, key := range []string{`{"group":[`, `],"indicator":[`, `],"association":[`} {
		at := strings.Index(bodies[0], key)
		assert.Greater(t, at, last, key)
		last = at
	}
}

// The list of associations requires a newer platform, so it is used only if nothing else works.
func TestEarlierGroupsNeedNoAssociationList(t *testing.T) {
	t.Parallel()
	srv := threatconnecttest.NewT(t, threatconnecttest.WithRecordedBodies(1<<20))
	cfg := appendConfig()
	cfg.MaxItems = 2
	w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
	require.NoError(t, err)
	addAll(t, w, batchGroup("x-1"), batchGroup("x-2", "x-1"), batchGroup("x-3", "x-1", "x-2"))
	for n := range 6 {
		addAll(t, w, batchHost(n, "x-1", "x-3"))
	}
	require.NoError(t, w.Close(t.Context()))
	bodies := uploadBodies(srv)
	assert.Len(t, bodies, 5)
	for _, body := range bodies {
		assert.True(t, strings.HasSuffix(body, "]}"), "the body was recorded completely")
		assert.NotContains(t, body, `"association":`)
	}
	for _, h := range srv.Indicators(batchOwner) {
		assert.ElementsMatch(t, []string{"x-1", "x-3"}, h.Groups)
	}
	g, _ := srv.Group("x-1")
	assert.ElementsMatch(t, []string{"x-2", "x-3"}, g.Groups)
}

// Groups that are all connected need not be in the same file.
func TestConnectedGroupsKeepJobLimits(t *testing.T) {
	t.Parallel()
	const groups = 40
	for name, limit := range map[string]func(*threatconnect.BatchConfig){
		"items": func(c *threatconnect.BatchConfig) { c.MaxItems = 3 },
		"bytes": func(c *threatconnect.BatchConfig) { c.MaxBytes = 1024 },
	} {
		srv := threatconnecttest.NewT(t)
		cfg := appendConfig()
		limit(&cfg)
		w, err := srv.Client().Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		xid := func(n int) string { return fmt.Sprintf("x-%02d", n%groups) }
		for n := range groups { // a ring with spokes, forwards and backwards
			addAll(t, w, batchGroup(xid(n), xid(n+1), xid(n+groups/2)))
		}
		require.NoError(t, w.Close(t.Context()), name)
		for _, j := range srv.Jobs() {
			if cfg.MaxItems > 0 {
				assert.LessOrEqual(t, j.Success, cfg.MaxItems, name)
			} else {
				assert.LessOrEqual(t, j.ContentSize, int64(cfg.MaxBytes), name)
			}
		}
		for n := range groups {
			g, _ := srv.Group(xid(n))
			assert.ElementsMatch(t, []string{xid(n + 1), xid(n + groups - 1), xid(n + groups/2)}, g.Groups, name)
		}
	}
}

func TestTypesReadEveryResponseShape(t *testing.T) {
	t.Parallel()
	for name, shape := range everyShape() {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(shape))
		require.NoError(t, srv.Seed(&threatconnecttest.IndicatorType{
			Name: "Wallet", Branch: "wallets", Entity: "wallet", Fields: []string{"Number", "Chain"},
		}))
		types, err := threatconnect.Collect(srv.Client().Types.Indicators(t.Context(), nil))
		require.NoError(t, err, name)
		custom := map[threatconnect.IndicatorType]bool{}
		for _, info := range types {
			custom[info.Name] = info.Custom
		}
		assert.False(t, custom["Host"], name)
		assert.True(t, custom["Wallet"], "%s: written as a text or as a boolean", name)
	}
}

func TestContentsWaitForConfirmedJobEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := threatconnecttest.NewT(t, threatconnecttest.WithBatchDuration(time.Minute))
		cfg := appendConfig()
		cfg.RetryFor = 5 * time.Minute
		uploaded := false
		w, err := srv.Client(threatconnect.WithTransport(wiretest.Func(func(req *http.Request) (*http.Response, error) {
			uploaded = uploaded || isUpload(req)
			if uploaded && req.Method == http.MethodGet {
				return nil, fmt.Errorf("read: connection reset by peer") // the end of the job is never seen
			}
			return srv.RoundTrip(req)
		}))).Batch.NewWriter(t.Context(), cfg)
		require.NoError(t, err)
		addAll(t, w, &threatconnect.GroupContent{Group: batchDocument("d-1"), Content: threatconnect.BytesContent([]byte("text"))})
		err = w.Close(t.Context())
		var b *threatconnect.BatchError
		require.ErrorAs(t, err, &b)
		assert.Equal(t, []int64{1}, b.Jobs)
		assert.Empty(t, uploads(srv), "whether the document exists is unknown")
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unprocessed: 1}, w.Stats().Contents)
		assert.Equal(t, threatconnect.BatchCounts{Added: 1, Unknown: 1}, w.Stats().Groups)
	})
}

func TestBatchCodeString(t *testing.T) {
	t.Parallel()
	for code, partial := range map[threatconnect.BatchCode]bool{
		threatconnect.CodeGeneral: false, threatconnect.CodePermission: false, threatconnect.CodeSyntax: false, threatconnect.CodeInternal: false,
		threatconnect.CodeIndicator: false, threatconnect.CodeGroup: false, threatconnect.CodeNotFound: false, threatconnect.CodeIndicatorLimit: false,
		threatconnect.CodeAssociation: false, threatconnect.CodeDuplicate: false, threatconnect.CodeFileIO: false,
		threatconnect.CodeIndicatorLoss: true, threatconnect.CodeGroupLoss: true, threatconnect.CodeHashMerge: true, threatconnect.CodeHashMergeToo: true,
	} {
		assert.Regexp(t, `^`+string(code)+` [A-Za-z/ ]+$`, code.String())
		assert.Equal(t, partial, code.Partial(), code)
	}
	assert.Equal(t, "unknown code", threatconnect.BatchCode("0x9999").String())
	assert.Equal(t, "no code", threatconnect.BatchCode("").String())
}

func TestCreateErrorNamesMissingPermissionOrSetting(t *testing.T) {
	t.Parallel()
	const permission, storage = "the API user may not import into this owner", "switch on batchJobEnabled and document storage"
	for name, c := range map[string]struct {
		options []threatconnecttest.Option
		kind    error
		hint    string
	}{
		"no batch API":                         {[]threatconnecttest.Option{threatconnecttest.WithBatchOff()}, threatconnect.ErrBatchDisabled, storage},
		"no batch API, as older instances say": {[]threatconnecttest.Option{threatconnecttest.WithBatchOff(), threatconnecttest.WithOddities(threatconnecttest.OddityForbiddenBatch)}, threatconnect.ErrBatchDisabled, storage},
		"no permission":                        {nil, threatconnect.ErrUnauthorized, permission},
		"no permission, as older instances say": {[]threatconnecttest.Option{threatconnecttest.WithOddities(threatconnecttest.OddityForbiddenBatch)},
			threatconnect.ErrForbidden, permission},
	} {
		srv := threatconnecttest.NewT(t, c.options...)
		require.NoError(t, srv.Seed(&threatconnecttest.Owner{Name: "Feed", ReadOnly: true}))
		cfg := appendJob()
		cfg.Owner = "Feed"
		_, err := srv.Client().Batch.Create(t.Context(), cfg)
		require.ErrorIs(t, err, c.kind, name)
		require.ErrorContains(t, err, c.hint, name)
		_, err = srv.Client().Batch.CreateAndUpload(t.Context(), cfg, strings.NewReader(`{}`))
		require.ErrorIs(t, err, c.kind, name)
		require.ErrorContains(t, err, c.hint, name)
		assert.Len(t, srv.Requests(), 2, "%s: there are no retries", name)
	}
	wrong := threatconnecttest.NewT(t, threatconnecttest.Allow(threatconnecttest.LapseUnverified)).ClientAs(threatconnect.HMAC("some-id", "wrong"))
	_, err := wrong.Batch.Create(t.Context(), appendJob())
	require.ErrorIs(t, err, threatconnect.ErrUnauthorized)
	assert.NotContains(t, err.Error(), permission, "a refused signature is no missing permission")
	m, client := batchMock(t)
	m.RegisterResponder("POST", batchBase+"/v2/batch", httpmock.NewStringResponder(401, "You may not create indicators in this owner"))
	_, err = client.Batch.Import(t.Context(), appendConfig(), threatconnect.BatchItems(func(yield func(*threatconnect.Host) bool) {
		yield(batchHost(1))
	}))
	require.ErrorIs(t, err, threatconnect.ErrUnauthorized)
	var b *threatconnect.BatchError
	require.ErrorAs(t, err, &b)
	assert.EqualValues(t, 1, b.Stats.Indicators.Unprocessed)
	assert.Equal(t, 1, m.GetTotalCallCount())
	api, ok := errors.AsType[*threatconnect.APIError](err)
	require.True(t, ok)
	assert.Equal(t, "You may not create indicators in this owner", string(api.Foreign))
	assert.Contains(t, err.Error(), permission)
}

// notRead has the fields of results that no response sets, by type or by field, and the reasons.
var notRead = map[string]string{
	"BatchItemError.Content":     "set by an import",
	"BatchItemError.Err":         "set by an import",
	"BatchItemError.Type":        "set by an import",
	"BatchItemError.Unprocessed": "set by an import",
	"Document.Password":          "never read back",
	"GroupMeta.Associated":       "written by batch files only",
	"GroupMeta.GroupXIDs":        "written by batch files only",
	"IndicatorMeta.Associated":   "written by batch files only",
	"IndicatorMeta.GroupXIDs":    "written by batch files only",
	"Task.Description":           "never read back",
	"IndicatorRef":               "names an indicator in a request",
}

// shapeFields records whether the exported fields of this package's structs in v have a value other than zero. A nil
// pointer or an empty slice counts as one zero value.
type shapeFields map[reflect.Type]map[string]bool

func (s shapeFields) add(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		s.add(v.Elem())
	case reflect.Interface:
		s.add(v.Elem())
	case reflect.Slice:
		if v.Len() == 0 {
			v = reflect.MakeSlice(v.Type(), 1, 1)
		}
		for i := range v.Len() {
			s.add(v.Index(i))
		}
	case reflect.Struct:
		t := v.Type()
		if t.PkgPath() != reflect.TypeFor[threatconnect.Client]().PkgPath() {
			return
		}
		if s[t] == nil {
			s[t] = map[string]bool{}
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.IsExported() && !f.Anonymous {
				s[t][f.Name] = s[t][f.Name] || !v.Field(i).IsZero()
			}
			if f.IsExported() {
				s.add(v.Field(i))
			}
		}
	}
}

// A field that is read incorrectly, or not at all, is noticed only if a response sets it.
func TestEveryFieldIsSetByAShape(t *testing.T) {
	t.Parallel()
	fields := shapeFields{}
	groups := reflect.ValueOf(clientOf(t, &wiretest.Steps{}).Groups)
	for i := range groups.NumField() {
		if get, ok := groups.Type().Field(i).Type.MethodByName("Get"); ok {
			fields.add(reflect.New(get.Type.Out(0)).Elem())
		}
	}
	for name, call := range shapeCalls {
		body, err := os.ReadFile(filepath.Join("testdata/shapes", name+".json"))
		require.NoError(t, err)
		got, err := call(t.Context(), shapeClient(t, string(body)))
		require.NoError(t, err)
		fields.add(reflect.ValueOf(got))
	}
	for typ, set := range fields {
		for field, isSet := range set {
			name := typ.Name() + "." + field
			if field == "Extra" || strings.HasPrefix(name, "Page[") || notRead[typ.Name()] != "" {
				continue // unknown members, or computed
			}
			if notRead[name] == "" {
				assert.True(t, isSet, "%s: no file in testdata/shapes sets it", name)
			} else {
				assert.False(t, isSet, "%s is set; remove it from notRead", name)
			}
		}
	}
}
