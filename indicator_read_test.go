package threatconnect

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// genericIndicators is an answer with n elements of about 360 bytes, of four types in turn.
func genericIndicators(n int) []byte {
	types := []string{"Host", "Address", "URL", "EmailAddress"}
	b := fmt.Appendf(nil, `{"status":"Success","data":{"resultCount":%d,"indicator":[`, n)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"id":%d,"ownerName":"Example Source","type":"%s","dateAdded":"2017-07-13T17:50:17Z","lastModified":"2017-07-14T08:%02d:%02dZ",`+
			`"rating":%d.0,"confidence":%d,"threatAssessRating":3.0,"threatAssessConfidence":18.33,`+
			`"webLink":"https://app.example.com/auth/indicators/details/host.xhtml?host=host-%d.evil.example&owner=Example+Source","summary":"host-%d.evil.example"}`,
			54321000+i, types[i%len(types)], i/60%60, i%60, i%6, i%101, i, i)
	}
	return append(b, `]}}`...)
}

func BenchmarkReadIndicators(b *testing.B) {
	const n = 100_000
	text := genericIndicators(n)
	b.Run("typed", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			items := make([]Indicator, 0, n)
			_, err := readEnvelope(text, 0, []string{"indicator"}, func(r *wire.Reader) {
				var seen interner
				for r.Array(); r.NextElem(); {
					items = append(items, seen.anyIndicator(r))
				}
			})
			if err != nil || len(items) != n {
				b.Fatal(len(items), err)
			}
		}
	})
	b.Run("encodingjson", func(b *testing.B) {
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
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			var v struct{ Data struct{ Indicator []flat } }
			v.Data.Indicator = make([]flat, 0, n)
			if err := json.Unmarshal(text, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
