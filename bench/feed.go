package main

import (
	"encoding/hex"
	"iter"
	"strconv"

	"github.com/threatconnect-go/threatconnect"
)

const (
	groups    = 100
	campaigns = 50
)

// feed makes the items of an import as an integration does: it builds each item separately, with shared tags and
// groups, and keeps none. The groups come first, then n indicators: an
// address, a host, a URL and a file in turn, each with rating, confidence, two tags, an attribute and
// a group. 250,000 of them are 95 MB in batch files.
func feed(n int) iter.Seq[threatconnect.BatchItem] {
	return func(yield func(threatconnect.BatchItem) bool) {
		var in [groups][]string
		var tags [campaigns][]threatconnect.Tag
		for i := range in {
			in[i] = []string{groupXID(i)}
		}
		for i := range tags {
			tags[i] = []threatconnect.Tag{{Name: "Nightly feed"}, {Name: "Campaign " + strconv.Itoa(i)}}
		}
		for i := range groups {
			g := threatconnect.NewAdversary("Adversary " + strconv.Itoa(i))
			g.XID = groupXID(i)
			if !yield(g) {
				return
			}
		}
		for i := range n {
			ind := indicator(i)
			ind.Meta().Tags, ind.Meta().GroupXIDs = tags[i%campaigns], in[i%groups]
			if !yield(ind) {
				return
			}
		}
	}
}

// repeats makes n indicators as feed does, with three duplicates of each: the first quarter of the feed four times.
func repeats(n int) iter.Seq[threatconnect.BatchItem] {
	return func(yield func(threatconnect.BatchItem) bool) {
		for range 4 {
			for item := range feed(n / 4) {
				if !yield(item) {
					return
				}
			}
		}
	}
}

func groupXID(i int) string { return "bench-adversary-" + strconv.Itoa(i) }

func indicator(i int) threatconnect.Indicator {
	var ind threatconnect.Indicator
	switch i % 4 {
	case 0:
		ind = threatconnect.NewAddress(address(i))
	case 1:
		ind = threatconnect.NewHost(hostName(i))
	case 2:
		ind = threatconnect.NewURL("https://" + hostName(i) + "/download/file.bin?id=" + strconv.Itoa(i))
	default:
		ind = &threatconnect.File{SHA256: sha256Like(i)}
	}
	m := ind.Meta()
	m.Rating = new(float64(i%5 + 1))
	m.Confidence = new(i % 101)
	m.Attributes = []threatconnect.Attribute{{
		Type:  "Description",
		Value: "Seen by the sensor in the nightly run as number " + strconv.Itoa(i) + ", with traffic to two more places of the same campaign and of one before",
	}}
	return ind
}

// hosts makes n hosts with only a rating.
func hosts(n int) iter.Seq[threatconnect.BatchItem] {
	return func(yield func(threatconnect.BatchItem) bool) {
		for i := range n {
			h := threatconnect.NewHost(hostName(i))
			h.Rating = new(3.0)
			if !yield(h) {
				return
			}
		}
	}
}

func hostName(i int) string { return "node-" + strconv.Itoa(i) + ".feed.example" }

// address returns an address of 2001:db8::/32, which is for documentation.
func address(i int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 32)
	b = append(b, "2001:db8:"...)
	b = strconv.AppendInt(b, int64(i>>16+1), 16)
	b = append(b, "::"...)
	b = append(b, '1', digits[i>>12&15], digits[i>>8&15], digits[i>>4&15])
	return string(append(b, ':', '1', digits[i&15]))
}

// sha256Like returns 64 hexadecimal digits that differ from one number to the next.
func sha256Like(i int) string {
	var b [32]byte
	x := uint64(i) + 1
	for j := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[j] = byte(x)
	}
	return hex.EncodeToString(b[:])
}
