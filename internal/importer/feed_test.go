package importer_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/threatconnect-go/threatconnect/internal/importer/item"
)

// TestMain sets the number of checks of the model test, unless a flag does.
func TestMain(m *testing.M) {
	checks := "20"
	if exhaustive() {
		checks = "3000"
	}
	flag.Parse()
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			checks = f.Value.String()
		}
	})
	_ = flag.Set("rapid.checks", checks) // the value is always a number
	goleak.VerifyTestMain(m)
}

// step is an item of a feed or an action between items.
type step struct {
	item    item.Encoded
	refuse  bool   // the item breaks a rule
	exclude string // reason for excluding the item; empty if included
	without string // reason for excluding one reference of the item; empty if none
	flush   bool   // no item: flush

	key  string   // key of the item on the platform; empty for an association
	refs []string // keys of its references on the platform
}

func (s *step) bad() bool { return strings.Contains(string(s.item.JSON), "bad") }

// rejected reports whether the platform rejects the item.
func (s *step) rejected() bool { return s.bad() || strings.Contains(string(s.item.JSON), "poison") }

func (s *step) kind() item.Kind { return item.KindOf(s.item.Section, 0) }

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string always has a JSON encoding
	return string(b)
}

// host returns an indicator that refers to groups.
func host(name string, xids ...string) step {
	s := step{key: hostKey(name), item: item.Encoded{Section: item.Indicators, Type: "Host", Name: name, Refs: xids,
		JSON: []byte(`{"type":"Host","summary":` + quoted(name) + `}`)}}
	for _, xid := range xids {
		s.refs = append(s.refs, linkKey(s.key, groupKey(xid)))
	}
	return s
}

// wide returns an item that is larger by about the given number of bytes.
func (s step) wide(bytes int) step {
	s.item.JSON = append(slices.Clone(s.item.JSON[:len(s.item.JSON)-1]), `,"description":"`+strings.Repeat("x", bytes)+`"}`...)
	return s
}

// group returns a group that refers to other groups.
func group(xid string, xids ...string) step {
	s := step{key: groupKey(xid), item: item.Encoded{Section: item.Groups, Name: xid, Refs: xids,
		JSON: []byte(`{"name":` + quoted("Name of "+xid) + `,"type":"Adversary","xid":` + quoted(xid) + `}`)}}
	for _, other := range xids {
		s.refs = append(s.refs, linkKey(s.key, groupKey(other)))
	}
	return s
}

// listing returns a group that lists hosts.
func listing(xid string, hosts ...string) step {
	s := group(xid)
	for _, name := range hosts {
		s.item.Listed = append(s.item.Listed, item.Listed{End: item.End{Type: "Host", Name: name}})
		s.refs = append(s.refs, linkKey(s.key, hostKey(name)))
	}
	return s
}

// document returns a group with content.
func document(xid string) step {
	s := group(xid)
	s.item.Content = &item.Content{Type: "Document", XID: xid, Size: 3}
	return s
}

// link returns an association of a host and a group; pair returns one of two hosts.
func link(name, xid string) step {
	return association(item.End{Type: "Host", Name: name}, item.End{Name: xid}, xid)
}

func pair(a, b string) step {
	return association(item.End{Type: "Host", Name: a}, item.End{Type: "Host", Name: b})
}

func association(a, b item.End, xids ...string) step {
	text := `{"type_1":` + quoted(a.Type) + `,"ref_1":` + quoted(a.Name)
	if b.Type != "" {
		text += `,"type_2":` + quoted(b.Type)
	}
	key := func(e item.End) item.End { return item.End{Type: e.Type, Name: "=" + e.Name} }
	return step{refs: []string{linkKey(endKey(a.Type, a.Name), endKey(b.Type, b.Name))}, item: item.Encoded{
		Section: item.Associations, Refs: xids, Key: item.LinkKey(key(a), key(b), ""),
		JSON: []byte(text + `,"ref_2":` + quoted(b.Name) + `}`)}}
}

func refuse() step { return step{refuse: true} }

func flush() step { return step{flush: true} }

func exclude(s step, reason string) step { s.exclude = reason; return s }

func without(s step, reason string) step {
	s.without = reason
	s.item.Listed = append(s.item.Listed, item.Listed{End: item.End{Type: "Host", Name: "excluded.example"}, Excluded: reason})
	return s
}

func hosts(prefix string, n int) (f []step) {
	for i := range n {
		f = append(f, host(fmt.Sprintf("%s%d.example", prefix, i)))
	}
	return f
}

// setup is the configuration that all processes of an import share.
type setup struct {
	maxItems, maxBytes, concurrency int
	limit                           int64 // largest file of the platform in bytes
	halt                            bool
	withoutStore                    bool
	known                           []string // groups that the owner has before the import
}
