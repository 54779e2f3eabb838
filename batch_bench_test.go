package threatconnect

import (
	"strconv"
	"testing"
)

func BenchmarkEncodeBatchItems(b *testing.B) {
	known := newKnownGroups([]string{"group-1"})
	e := encoder{version: BatchV2, action: BatchCreate, known: &known}
	for _, ind := range []Indicator{
		NewAddress("192.0.2.17"),
		NewHost("node-1.feed.example"),
		NewURL("https://node-1.feed.example/download/file.bin?id=17"),
		&File{SHA256: "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
	} {
		m := ind.Meta()
		m.Rating, m.Confidence = new(4.0), new(75)
		m.Tags = []Tag{{Name: "Nightly feed"}, {Name: "Campaign 7"}}
		m.Attributes = []Attribute{{Type: "Description", Value: "Seen by the sensor in the nightly run as number " + strconv.Itoa(17) + ", with traffic to two more places"}}
		m.GroupXIDs = []string{"group-1"}
		b.Run(string(ind.Type()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.encode(ind); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(e.Buf)))
		})
	}
}
