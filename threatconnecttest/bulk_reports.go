package threatconnecttest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// BulkReports configures the bulk reports of an owner.
type BulkReports struct {
	JSON, CSV bool
	Duration  time.Duration // time to generate a report
	Fail      bool          // whether generating fails from now on
}

// bulkReports is the state of an owner's bulk reports.
type bulkReports struct {
	BulkReports
	status    string
	lastRun   time.Time
	nextRun   time.Time
	json, csv []byte // latest finished reports; nil before the first

	running           bool
	done              time.Time // completion time of the report in progress
	newJSON, newCSV   []byte
	newFails, started bool
}

const bulkEvery = 24 * time.Hour

// SetBulkReports enables the bulk reports of an owner or changes their settings. The first reports
// are generated immediately from the current data. SetBulkReports returns an error if the owner
// does not exist.
func (s *Server) SetBulkReports(ownerName string, r BulkReports) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.ownerByName(ownerName)
	if o == nil {
		return errors.New("threatconnecttest: there is no such owner")
	}
	if s.bulk == nil {
		s.bulk = map[*owner]*bulkReports{}
	}
	b := s.bulk[o]
	if b == nil {
		b = &bulkReports{}
		s.bulk[o] = b
	}
	b.BulkReports = r
	if !b.started {
		b.started = true
		b.begin(o, s.now(), s.oddities)
		b.finish(s.now())
	}
	return nil
}

func bulkRoutes() []route {
	return []route{
		{method: "GET", pattern: "/v2/indicators/bulk/", handle: (*call).bulkStatus},
		{method: "GET", pattern: "/v2/indicators/bulk/{format}", handle: (*call).bulkReport},
	}
}

// begin starts to generate reports of the current data.
func (b *bulkReports) begin(o *owner, now time.Time, odd Oddity) {
	b.running, b.done, b.newFails, b.status = true, now.Add(b.Duration), b.Fail, "Running"
	b.newJSON, b.newCSV = bulkJSON(o, odd), bulkCSV(o)
}

// finish publishes the reports in progress.
func (b *bulkReports) finish(now time.Time) {
	b.running, b.lastRun, b.nextRun = false, now, now.Add(bulkEvery)
	if b.newFails {
		b.status = "Failure"
		return
	}
	b.status, b.json, b.csv = "Complete", b.newJSON, b.newCSV
}

// settle finishes a report whose time has passed and starts the next one if it is due.
func (b *bulkReports) settle(o *owner, now time.Time, odd Oddity) {
	if b.running && !now.Before(b.done) {
		b.finish(b.done)
	}
	if !b.running && !now.Before(b.nextRun) {
		b.begin(o, now, odd)
	}
}

// bulkReports returns the reports of the call's owner.
func (c *call) bulkReports() *bulkReports {
	b := c.bulk[c.owner]
	if b == nil {
		return &bulkReports{}
	}
	b.settle(c.owner, c.now, c.oddities)
	return b
}

// bulkStatus responds without the usual envelope.
func (c *call) bulkStatus() *answer {
	b := c.bulkReports()
	w := c.writer()
	w.open()
	w.object("bulkStatus", func(w *jsonWriter) {
		w.str("name", c.owner.Name)
		w.bool("csvEnabled", b.CSV)
		w.bool("jsonEnabled", b.JSON)
		if !b.lastRun.IsZero() {
			w.date("nextRun", b.nextRun.Unix())
			w.date("lastRun", b.lastRun.Unix())
			w.str("status", b.status)
		}
	})
	w.close()
	return jsonAnswer(http.StatusOK, w.b)
}

// bulkReport responds with the latest finished report, even if a new one has been requested.
func (c *call) bulkReport() *answer {
	b := c.bulkReports()
	format := c.params.get("format")
	if format == "json" && !b.JSON || format == "csv" && !b.CSV || format != "json" && format != "csv" {
		return missing()
	}
	latest := map[string]*answer{"json": jsonAnswer(http.StatusOK, b.json), "csv": raw("text/csv", b.csv)}[format]
	if latest.body == nil {
		latest = missing()
	}
	if c.flag("runNow") && !b.running {
		b.begin(c.owner, c.now, c.oddities)
		b.settle(c.owner, c.now, c.oddities)
	}
	return latest
}

// active iterates over the indicators in bulk reports.
func (o *owner) active() iter.Seq[*indicator] {
	return where(o.indicators, func(i *indicator) bool { return !i.has(flagRemoved | flagInactive) })
}

func bulkJSON(o *owner, odd Oddity) []byte {
	w := &jsonWriter{odd: odd}
	w.open()
	writeAll(w, "indicator", slices.Collect(o.active()), func(i *indicator, w *jsonWriter) {
		i.write(w, indicatorShape{list: true, generic: true, with: withAttributes | withTags})
	})
	w.close()
	return w.b
}

func bulkCSV(o *owner) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"Type", "Value", "Rating", "Confidence"}) // writes to memory
	for i := range o.active() {
		rating, confidence := "null", "null"
		if i.has(flagRated) {
			rating = strconv.FormatFloat(i.score(), 'f', 2, 64)
		}
		if i.has(flagConfident) {
			confidence = strconv.Itoa(int(i.confidence))
		}
		_ = w.Write([]string{i.typ.Name, i.value, rating, confidence})
	}
	w.Flush()
	return b.Bytes()
}
