package threatconnect

import (
	"net/url"
	"strings"
	"testing"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// What the platform sends is read or refused, never a panic, and nothing is read past its end.
func FuzzRelatedThingsAreReadOrRefused(f *testing.F) {
	for _, seed := range []string{
		`{"name":"ASN to CIDR","custom":"false","fileAction":false,"apiBranch":"asnToCidr"}`,
		`{"name":"Port","system":"true","allowMarkdown":1,"maxLength":"500","validationRule":{"a":[1]},"x":{}}`,
		`{"resolutionDate":"2026-01-02T03:04:05Z","addresses":[{"ownerName":"A","ip":"192.0.2.1"}]}`,
		`{"resolutionDate":1767323045000,"addresses":{"ip":"2001:db8::1"}}`,
		`{"id":"7","fileName":"a","path":null,"date":"2026-01-02"}`,
		`[]`, `{"addresses":[[]]}`, `{"validationRule":`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, read := range []func(*wire.Reader){
			func(r *wire.Reader) { readAssociationType(r) },
			func(r *wire.Reader) { readAttributeType(r) },
			func(r *wire.Reader) {
				if d := readResolution(r); d.Addresses == nil {
					t.Error("addresses are never nil")
				}
			},
			func(r *wire.Reader) { readFileOccurrence(r) },
			func(r *wire.Reader) { readTag(r) },
			func(r *wire.Reader) { readSecurityLabel(r) },
		} {
			read(wire.NewReader(text))
		}
	})
}

// Both ends of an association can be told from its path again, whatever they are called, and
// neither is in the template.
func FuzzBothEndsStayApartInAPath(f *testing.F) {
	f.Add("www.example.com", "http://a/b?c#d")
	f.Add("..", "/")
	f.Add("...", ".")
	f.Add("%2F", "a b+c")
	f.Add("{}", "\x00\xff")
	f.Add("", "a")
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := at("v2", "indicators", "mutexes", value(a)).join(at("v2", "indicators", "urls", value(b)))
		step := func(v string) bool { return v == "" || v == "." || v == ".." }
		if (step(a) || step(b)) != (r.err != nil) {
			t.Fatal(r.err)
		}
		if r.err != nil {
			return
		}
		segs := strings.Split(r.path, "/")
		if len(segs) != 8 {
			t.Fatalf("%d segments", len(segs))
		}
		for i, want := range map[int]string{1: "v2", 2: "indicators", 3: "mutexes", 4: a, 5: "indicators", 6: "urls", 7: b} {
			if got, err := url.PathUnescape(segs[i]); err != nil || got != want {
				t.Errorf("segment %d: %q, %v", i, got, err)
			}
		}
		if r.template != "/v2/indicators/mutexes/{}/indicators/urls/{}" {
			t.Error(r.template)
		}
		if len(r.values) != 2 || r.values[0] != a || r.values[1] != b {
			t.Errorf("%q", r.values)
		}
	})
}
