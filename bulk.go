package threatconnect

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// BulkService reads bulk reports: all indicators of a community or source in one response. It is the
// cheapest way to read a whole owner. The platform writes the reports once a day, for owners that have
// them switched on.
//
// The reports are those of the client's owner, which must be set with [WithOwner] or [Client.InOwner]:
// an organization has no reports. The service is safe for concurrent use.
//
//	for indicator, err := range client.InOwner("Example Source").Bulk.JSON(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(indicator.Summary())
//	}
type BulkService struct{ service }

// BulkFormat is a format of bulk reports.
type BulkFormat string

// The formats of bulk reports. An owner can have either, both or none of them switched on.
const (
	BulkJSON BulkFormat = "json" // indicators with attributes and tags
	BulkCSV  BulkFormat = "csv"  // type, value, rating and confidence only
)

// BulkStatus is the state of the bulk reports of an owner.
type BulkStatus struct {
	Name        string    `json:"name"` // the name of the owner
	CSVEnabled  bool      `json:"csvEnabled"`
	JSONEnabled bool      `json:"jsonEnabled"`
	NextRun     time.Time `json:"nextRun,omitzero"` // when the platform writes the next report
	LastRun     time.Time `json:"lastRun,omitzero"` // when it wrote the last report; zero if there is none
	Status      string    `json:"status,omitzero"`  // the result of the last run, for example "Complete" or "Failure"

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

func (s BulkStatus) complete() bool {
	return strings.EqualFold(s.Status, "Complete") || strings.EqualFold(s.Status, "Completed") || strings.EqualFold(s.Status, "Success")
}

func (s BulkStatus) failed() bool {
	return strings.EqualFold(s.Status, "Failure") || strings.EqualFold(s.Status, "Failed") || strings.EqualFold(s.Status, "Error")
}

// BulkRow is one indicator of a CSV report.
type BulkRow struct {
	Type       IndicatorType
	Value      string   // the value as one string; for a file, the hashes that the report has
	Rating     *float64 // 0 to 5; nil if not set
	Confidence *int     // 0 to 100; nil if not set
}

// ErrBulkFailed means that the platform failed to write a bulk report.
var ErrBulkFailed = errors.New("threatconnect: the bulk report failed")

// Status returns which bulk reports the owner has and when they were written. It costs one request.
//
//	API: GET /v2/indicators/bulk/
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Status(ctx context.Context) (BulkStatus, error) {
	call, err := s.call(at("v2", "indicators", "bulk"))
	if err != nil {
		return BulkStatus{}, err
	}
	return one(ctx, s.c, call, []string{"bulkStatus"}, readBulkStatus)
}

// JSON returns an iterator over the indicators of the latest JSON report. It costs one request, sent when the loop
// starts, and keeps one indicator in memory at a time. If the report is incomplete or invalid, the iterator yields the
// error and stops; the indicators before it are valid.
//
// The report contains attributes and tags, and at least one hash of every file, but no file sizes, file occurrences,
// associations or DNS resolutions.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) JSON(ctx context.Context) iter.Seq2[Indicator, error] {
	return func(yield func(Indicator, error) bool) {
		call, err := s.report(BulkJSON)
		if err != nil {
			yield(nil, err)
			return
		}
		src, resp, err := s.c.open(ctx, call)
		if err != nil {
			yield(nil, err)
			return
		}
		defer resp.Body.Close()
		elements := wire.NewElements(src, []string{"indicator"}, 0)
		var r wire.Reader
		for elements.Next() {
			r.Reset(elements.Bytes())
			ind := readAnyIndicator(&r)
			if err := r.Err(); err != nil {
				yield(nil, brokenReport(call, fmt.Errorf("%w: %w", ErrBadResponse, err)))
				return
			}
			if !yield(ind, nil) {
				return
			}
		}
		env := envelope{status: elements.Status(), message: elements.Message()}
		switch err := elements.Err(); {
		case err != nil:
			yield(nil, brokenReport(call, asResponseError(err)))
		case !env.success():
			yield(nil, brokenReport(call, fmt.Errorf("%w: it says %s", ErrBadResponse, knownSentence(env.message))))
		case !elements.Found():
			yield(nil, brokenReport(call, fmt.Errorf("%w: it holds no list of indicators", ErrBadResponse)))
		}
	}
}

// CSV returns an iterator over the rows of the latest CSV report. It costs one request, sent when the loop starts, and
// keeps one row in memory at a time. If the report is incomplete or invalid, the iterator yields the error and stops;
// the rows before it are valid.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) CSV(ctx context.Context) iter.Seq2[BulkRow, error] {
	return func(yield func(BulkRow, error) bool) {
		call, err := s.report(BulkCSV)
		if err != nil {
			yield(BulkRow{}, err)
			return
		}
		src, resp, err := s.c.open(ctx, call)
		if err != nil {
			yield(BulkRow{}, err)
			return
		}
		defer resp.Body.Close()
		rows, err := newBulkRows(src)
		for err == nil {
			var row BulkRow
			if row, err = rows.next(); err == nil && !yield(row, nil) {
				return
			}
		}
		if err != io.EOF {
			yield(BulkRow{}, brokenReport(call, asResponseError(err)))
		}
	}
}

// Run asks the platform to write a new report. It costs one request and does not wait: until [BulkService.Wait]
// returns, JSON and CSV read the old report.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Run(ctx context.Context, format BulkFormat) error {
	if format != BulkJSON && format != BulkCSV {
		return &ValidationError{Field: "bulk format", Rule: "must be json or csv"}
	}
	call, err := s.report(format)
	if err != nil {
		return err
	}
	call.query.Set("runNow", "true")
	_, resp, err := s.c.open(ctx, call)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // the body is the old report
	return nil
}

// Wait polls until a report newer than before is complete and returns its status. Pass as before the result of
// [BulkService.Status] from before [BulkService.Run]; the zero value accepts any report. If the platform failed to
// write the report, the error matches [ErrBulkFailed].
//
// The interval between requests grows from 1 to 20 seconds. Wait has no timeout of its own: give ctx a deadline.
//
//	API: GET /v2/indicators/bulk/
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Wait(ctx context.Context, before BulkStatus) (BulkStatus, error) {
	const longest = 20 * time.Second
	for wait := time.Second; ; wait = min(wait*3/2, longest) {
		now, err := s.Status(ctx)
		if err != nil {
			return BulkStatus{}, err
		}
		newer := now.LastRun.After(before.LastRun)
		switch {
		case newer && now.complete():
			return now, nil
		case now.failed() && (newer || !before.failed()):
			return now, ErrBulkFailed
		}
		if err := sleep(ctx, wait); err != nil {
			return now, fmt.Errorf("threatconnect: waiting for the bulk report: %w", err)
		}
	}
}

// report returns the call that reads a report.
func (s BulkService) report(format BulkFormat) (*call, error) {
	return s.call(at("v2", "indicators", "bulk", string(format)))
}

// call returns a call about the reports of the client's owner.
func (s BulkService) call(r route) (*call, error) {
	if err := s.c.usable(); err != nil {
		return nil, err
	}
	if s.c.owner == "" {
		return nil, errBulkOwner
	}
	return &call{method: http.MethodGet, route: r, query: ownerQuery(s.c.owner)}, nil
}

var errBulkOwner = &ValidationError{Field: "owner", Rule: "is empty, and bulk reports belong to a community or source", Fix: `use client.InOwner("Example Source").Bulk`}

// brokenReport adds the call to an error of reading a report.
func brokenReport(call *call, err error) error {
	return &RequestError{Method: call.method, Route: call.route.template, Attempts: 1, Err: err}
}

// asResponseError makes an error of reading a report match [ErrBadResponse], unless it is an error of the context.
func asResponseError(err error) error {
	if errors.Is(err, ErrBadResponse) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBadResponse, err)
}

// mostRow is the maximum size in bytes of a row of a CSV report, including the read-ahead.
const mostRow = 256 << 10

var errHugeRow = errors.New("a row is larger than 256 KiB")

// rowSource limits the size of a row, because package csv keeps a row of any size in memory.
type rowSource struct {
	src  io.Reader
	left int // of the row
}

func (s *rowSource) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errHugeRow
	}
	n, err := s.src.Read(p)
	s.left -= n
	return n, err
}

// bulkRows reads a CSV report.
type bulkRows struct {
	src     *rowSource
	r       *csv.Reader
	columns [4]int // indexes of type, value, rating and confidence; -1 if absent
}

func newBulkRows(src io.Reader) (*bulkRows, error) {
	b := &bulkRows{src: &rowSource{src: src, left: mostRow}}
	b.r = csv.NewReader(b.src)
	b.r.ReuseRecord = true
	head, err := b.r.Read()
	if err == io.EOF {
		return nil, errors.New("the report is empty, without even a header")
	}
	if err != nil {
		return nil, csvError(err)
	}
	for i, name := range []string{"type", "value", "rating", "confidence"} {
		b.columns[i] = slices.IndexFunc(head, func(h string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")), name)
		})
	}
	if b.columns[0] < 0 || b.columns[1] < 0 {
		return nil, errors.New("the report does not begin with a header that has Type and Value")
	}
	return b, nil
}

func (b *bulkRows) next() (BulkRow, error) {
	b.src.left = mostRow
	record, err := b.r.Read()
	if err != nil {
		return BulkRow{}, csvError(err)
	}
	row := BulkRow{Type: IndicatorType(record[b.columns[0]]), Value: record[b.columns[1]]}
	bad := func(what string) error {
		line, _ := b.r.FieldPos(0)
		return fmt.Errorf("CSV line %d: %s", line, what)
	}
	if s := b.optional(record, 2); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f <= 5) {
			return row, bad("the rating is not a number from 0 to 5")
		}
		row.Rating = &f
	}
	if s := b.optional(record, 3); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0 && f <= 100) {
			return row, bad("the confidence is not a number from 0 to 100")
		}
		n := int(f)
		row.Confidence = &n
	}
	return row, nil
}

// optional returns the value of a column, or "" if the column is absent or null.
func (b *bulkRows) optional(record []string, column int) string {
	i := b.columns[column]
	if i < 0 {
		return ""
	}
	s := strings.TrimSpace(record[i])
	if strings.EqualFold(s, "null") {
		return ""
	}
	return s
}

// csvError returns an error with the position and kind of a syntax error, but without text of the report.
func csvError(err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		return fmt.Errorf("CSV line %d: %w", p.Line, p.Err)
	}
	return err
}

func readBulkStatus(r *wire.Reader) BulkStatus {
	var s BulkStatus
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			s.Name = r.Text()
		case "csvEnabled":
			s.CSVEnabled = r.Bool()
		case "jsonEnabled":
			s.JSONEnabled = r.Bool()
		case "nextRun":
			s.NextRun = r.Time()
		case "lastRun":
			s.LastRun = r.Time()
		case "status":
			s.Status = r.Text()
		default:
			keepExtra(&s.Extra, r)
		}
	}
	return s
}
