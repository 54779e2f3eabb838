package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// flat is an element of a list of indicators.
type flat struct {
	ID                     int64     `json:"id"`
	OwnerName              string    `json:"ownerName"`
	Type                   string    `json:"type"`
	Summary                string    `json:"summary"`
	DateAdded              time.Time `json:"dateAdded"`
	LastModified           time.Time `json:"lastModified"`
	Rating                 *float64  `json:"rating"`
	Confidence             *int      `json:"confidence"`
	ThreatAssessRating     float64   `json:"threatAssessRating"`
	ThreatAssessConfidence float64   `json:"threatAssessConfidence"`
	WebLink                string    `json:"webLink"`
}

// page returns a response with n indicators of about 360 bytes each that encoding/json can read.
func page(n int) []byte {
	b := fmt.Appendf(nil, `{"status":"Success","data":{"resultCount":%d,"indicator":[`, n)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"ownerName":"Example Source","type":"Host","dateAdded":"2017-07-13T17:50:17Z","lastModified":"2017-07-14T08:%02d:%02dZ",`+
			`"rating":%d.0,"confidence":%d,"threatAssessRating":3.0,"threatAssessConfidence":18.33,`+
			`"webLink":"https://app.example.com/auth/indicators/details/host.xhtml?host=host-%d.evil.example&owner=Example+Source","summary":"host-%d.evil.example"}`,
			54321000+i, i/60%60, i%60, i%6, i%101, i, i)
	}
	return append(b, `]}}`...)
}

// readFlat reads an element. prev is the previous element.
func readFlat(r *Reader, v, prev *flat) {
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			v.ID = r.Int64()
		case "ownerName":
			v.OwnerName = r.TextIntern(prev.OwnerName)
		case "type":
			v.Type = r.TextIntern(prev.Type)
		case "summary":
			v.Summary = r.Text()
		case "dateAdded":
			v.DateAdded = r.Time()
		case "lastModified":
			v.LastModified = r.Time()
		case "rating":
			v.Rating = r.Float64Ptr()
		case "confidence":
			v.Confidence = r.IntPtr()
		case "threatAssessRating":
			v.ThreatAssessRating = r.Float64()
		case "threatAssessConfidence":
			v.ThreatAssessConfidence = r.Float64()
		case "webLink":
			v.WebLink = r.Text()
		default:
			r.Skip()
		}
	}
}

func readPage(b []byte, list []flat) ([]flat, error) {
	r := NewReader(b)
	for r.Object(); r.NextKey(); {
		if string(r.Key()) != "data" {
			r.Skip()
			continue
		}
		for r.Object(); r.NextKey(); {
			if string(r.Key()) != "indicator" {
				r.Skip()
				continue
			}
			prev := &flat{}
			for r.Array(); r.NextElem(); {
				list = append(list, flat{})
				v := &list[len(list)-1]
				readFlat(r, v, prev)
				prev = v
			}
		}
	}
	r.End()
	return list, r.Err()
}

func writeFlat(w *Writer, v *flat) {
	w.BeginObject()
	w.Key("summary")
	w.Text(v.Summary)
	w.Key("type")
	w.Text(v.Type)
	w.Key("rating")
	w.Float64(*v.Rating)
	w.Key("confidence")
	w.Int64(int64(*v.Confidence))
	w.Key("dateAdded")
	w.Time(v.DateAdded)
	w.Key("webLink")
	w.Text(v.WebLink)
	w.EndObject()
}

func TestReadPageMatchesEncodingJSON(t *testing.T) {
	t.Parallel()
	b := page(200)
	got, err := readPage(b, nil)
	require.NoError(t, err)
	var want struct{ Data struct{ Indicator []flat } }
	require.NoError(t, json.Unmarshal(b, &want))
	require.Len(t, got, 200)
	require.Equal(t, want.Data.Indicator, got)
}

func BenchmarkDecode(b *testing.B) {
	text := page(10_000)
	b.Run("reader", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := readPage(text, make([]flat, 0, 10_000)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("elements", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		var r Reader
		for b.Loop() {
			e := NewElements(bytes.NewReader(text), []string{"indicator"}, 0)
			var v, prev flat
			for e.Next() {
				r.Reset(e.Bytes())
				readFlat(&r, &v, &prev)
				prev = v
			}
			if e.Err() != nil {
				b.Fatal(e.Err())
			}
		}
	})
	b.Run("skip", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		var r Reader
		for b.Loop() {
			r.Reset(text)
			r.Skip()
		}
	})
	b.Run("encodingjson", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var v struct{ Data struct{ Indicator []flat } }
			v.Data.Indicator = make([]flat, 0, 10_000)
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	list, err := readPage(page(10_000), nil)
	require.NoError(b, err)
	b.Run("writer", func(b *testing.B) {
		var w Writer
		b.ReportAllocs()
		for b.Loop() {
			w.Reset()
			w.BeginArray()
			for i := range list {
				writeFlat(&w, &list[i])
			}
			w.EndArray()
			b.SetBytes(int64(len(w.Buf)))
		}
	})
	b.Run("encodingjson", func(b *testing.B) {
		type short struct {
			Summary    string    `json:"summary"`
			Type       string    `json:"type"`
			Rating     *float64  `json:"rating"`
			Confidence *int      `json:"confidence"`
			DateAdded  time.Time `json:"dateAdded"`
			WebLink    string    `json:"webLink"`
		}
		items := make([]short, len(list))
		for i, v := range list {
			items[i] = short{v.Summary, v.Type, v.Rating, v.Confidence, v.DateAdded, v.WebLink}
		}
		b.ReportAllocs()
		for b.Loop() {
			out, err := json.Marshal(items)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(out)))
		}
	})
}

func BenchmarkTextWithEscapes(b *testing.B) {
	text := []byte(`"` + strings.Repeat(`C:\\Windows\\System32\\evil é `, 8) + `"`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var r Reader
	for b.Loop() {
		r.Reset(text)
		_ = r.Text()
	}
}
