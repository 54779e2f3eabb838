package threatconnect

import (
	"context"
	"encoding/csv"
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

// BulkService reads the bulk reports of communities and sources: all indicators of an owner in one
// answer, made once a day where the owner has it switched on. It is safe for concurrent use.
//
// An owner that is "" means the client's default owner in every method.
type BulkService struct{ service }

// BulkFormat is a format of bulk reports.
type BulkFormat string

// The formats. An owner can have either, both or none of them switched on.
const (
	BulkJSON BulkFormat = "json" // indicators with attributes and tags
	BulkCSV  BulkFormat = "csv"  // type, value, rating and confidence only
)

// BulkStatus says what bulk reports an owner has.
type BulkStatus struct {
	Name        string    `json:"name"` // of the owner
	CSVEnabled  bool      `json:"csvEnabled"`
	JSONEnabled bool      `json:"jsonEnabled"`
	NextRun     time.Time `json:"nextRun,omitzero"` // when the next report is due
	LastRun     time.Time `json:"lastRun,omitzero"` // when the last one was made; zero when there is none
	Status      string    `json:"status,omitzero"`  // how that went: "Complete", "Failure" and others
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
	Value      string   // as one text; of a file, the hashes that the report has
	Rating     *float64 // 0 to 5; nil when it is not set
	Confidence *int     // 0 to 100; nil when it is not set
}

// ErrBulkFailed is matched by the error of a bulk report that could not be made.
var ErrBulkFailed = errors.New("threatconnect: the bulk report failed")

// Status reads what bulk reports an owner has and when they were made, with one request.
//
//	API: GET /v2/indicators/bulk/
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Status(ctx context.Context, owner string) (BulkStatus, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "indicators", "bulk"), query: ownerQuery(s.c.ownerOr(owner))},
		[]string{"bulkStatus"}, readBulkStatus)
}

// JSON reads the latest report of an owner, one indicator at a time, whatever its size. It costs
// one request, sent when the sequence is ranged over.
//
// The report holds the attributes and tags of the indicators, but no file sizes, file occurrences,
// associations and DNS resolutions, and of every file one hash at least. A report that breaks off,
// or that is not one, ends the sequence with an error; what came before it is good.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) JSON(ctx context.Context, owner string) iter.Seq2[Indicator, error] {
	return func(yield func(Indicator, error) bool) {
		call := s.report(owner, BulkJSON)
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

// CSV reads the latest report of an owner, one row at a time, whatever its size. It costs one
// request, sent when the sequence is ranged over. A report that breaks off, or that is not one, ends
// the sequence with an error; what came before it is good.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) CSV(ctx context.Context, owner string) iter.Seq2[BulkRow, error] {
	return func(yield func(BulkRow, error) bool) {
		call := s.report(owner, BulkCSV)
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

// Run makes the platform build a new report of an owner, with one request. It returns at once:
// until [BulkService.Wait] says so, reports are still the old ones.
//
//	API: GET /v2/indicators/bulk/{format}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Run(ctx context.Context, owner string, format BulkFormat) error {
	if format != BulkJSON && format != BulkCSV {
		return &ValidationError{Field: "bulk format", Rule: "want json or csv"}
	}
	call := s.report(owner, format)
	if call.query == nil {
		call.query = make(map[string][]string, 1)
	}
	call.query.Set("runNow", "true")
	_, resp, err := s.c.open(ctx, call)
	if err != nil {
		return err
	}
	_ = resp.Body.Close() // it is the old report
	return nil
}

// Wait returns when a report of an owner is complete that is newer than before, which
// [BulkService.Status] has returned before [BulkService.Run]. A zero before takes any report. One
// that could not be made is an error that matches [ErrBulkFailed].
//
// It asks at once and then in growing intervals of one to twenty seconds, and waits until ctx ends:
// give it a deadline. Every time costs one request.
//
//	API: GET /v2/indicators/bulk/
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s BulkService) Wait(ctx context.Context, owner string, before BulkStatus) (BulkStatus, error) {
	const longest = 20 * time.Second
	for wait := time.Second; ; wait = min(wait*3/2, longest) {
		now, err := s.Status(ctx, owner)
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

func (s BulkService) report(owner string, format BulkFormat) *call {
	return &call{method: http.MethodGet, route: at("v2", "indicators", "bulk", string(format)), query: ownerQuery(s.c.ownerOr(owner))}
}

// brokenReport names the call that a stream broke in.
func brokenReport(call *call, err error) error {
	return &RequestError{Method: call.method, Route: call.route.template, Attempts: 1, Err: err}
}

// asResponseError marks an error of a stream as that of a broken answer, unless it is one of the
// caller's context or is marked already.
func asResponseError(err error) error {
	if errors.Is(err, ErrBadResponse) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBadResponse, err)
}

// mostRow is how many bytes a row of a CSV report may have, and what is read ahead of it.
const mostRow = 256 << 10

var errHugeRow = errors.New("a row is larger than 256 KiB")

// rowSource ends a report in which no row ends: package csv holds a row in memory, whatever its size.
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
	columns [4]int // of type, value, rating and confidence; -1 when there is none
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

// optional returns a column that may be missing, or null.
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

// csvError returns the place and the kind of a fault, which hold nothing of the report.
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
			r.Skip()
		}
	}
	return s
}
