package threatconnect

import (
	"net/url"
	"strings"
	"testing"
)

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
	})
}
