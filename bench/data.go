package main

import (
	"fmt"
	"strings"
)

const (
	listed    = 100_000   // indicators in the list
	bulked    = 1_000_000 // indicators in the bulk report
	bulkBlock = 10_000    // which repeats these
)

// single is the response with a host; %[1]s is its name.
const single = `{"status":"Success","data":{"host":{"id":1234567,"owner":{"id":2,"name":"Example Source","type":"Source"},` +
	`"dateAdded":"2026-03-01T06:15:42Z","lastModified":"2026-03-09T21:02:11Z","rating":4.0,"confidence":75,"threatAssessRating":3.0,` +
	`"threatAssessConfidence":52.5,"threatAssessScore":512,"webLink":"https://example.com/auth/indicators/details/host.xhtml?host=%[1]s",` +
	`"hostName":"%[1]s","dnsActive":"false","whoisActive":"true"}}}`

// rendered is a list of JSON texts with commas between them.
type rendered struct {
	text []byte
	ends []int // after each of them, before the comma
}

// part returns a range of the texts.
func (r *rendered) part(from, to int) []byte {
	if from >= to {
		return nil
	}
	begin := 0
	if from > 0 {
		begin = r.ends[from-1] + 1
	}
	return r.text[begin:r.ends[to-1]]
}

// render writes n indicators in the format of lists, about 360 bytes each. The bulk report has an additional tag and
// attribute.
func render(n int, bulk bool) rendered {
	r := rendered{text: make([]byte, 0, n*400), ends: make([]int, 0, n)}
	for i := range n {
		if i > 0 {
			r.text = append(r.text, ',')
		}
		typ, summary := [4]string{"Address", "Host", "URL", "File"}[i%4], ""
		switch i % 4 {
		case 0:
			summary = address(i)
		case 1:
			summary = hostName(i)
		case 2:
			summary = "https://" + hostName(i) + "/download/file.bin"
		case 3:
			summary = sha256Like(i)
		}
		r.text = fmt.Appendf(r.text, `{"id":%d,"ownerName":"Example Source","type":%q,"dateAdded":"2026-03-%02dT06:15:42Z","lastModified":"2026-03-%02dT21:02:11Z",`+
			`"rating":%d.0,"confidence":%d,"threatAssessRating":%d.0,"threatAssessConfidence":%d.5,"webLink":"https://example.com/auth/indicators/details/%s.xhtml?orgid=%d","summary":%q`,
			1_000_000+i, typ, i%28+1, i%28+1, i%5+1, i%101, i%5, i%100, strings.ToLower(typ), 1_000_000+i, summary)
		if bulk {
			r.text = fmt.Appendf(r.text, `,"tag":[{"name":"Campaign %d","webLink":"https://example.com/auth/tags/tag.xhtml?tag=%d"}],"attribute":[{"id":%d,"type":"Description",`+
				`"dateAdded":"2026-03-01T06:15:42Z","lastModified":"2026-03-09T21:02:11Z","displayed":true,"value":"Seen by the sensor in the nightly run as number %d"}]`, i%50, i%50, i, i)
		}
		r.text = append(r.text, '}')
		r.ends = append(r.ends, len(r.text))
	}
	return r
}
