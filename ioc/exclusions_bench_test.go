package ioc

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
)

// listedHost returns the n-th host of the benchmark lists.
func listedHost(n int) string { return fmt.Sprintf("%x.site-%d.com", uint64(n)*2654435761%4096, n) }

func million(b *testing.B) []string {
	b.Helper()
	hosts := make([]string, 1_000_000)
	for i := range hosts {
		hosts[i] = listedHost(i)
	}
	return hosts
}

func BenchmarkExclusionsLoad(b *testing.B) {
	hosts := million(b)
	warningList, err := json.Marshal(map[string]any{"name": "top sites", "type": "hostname", "list": hosts})
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Join(hosts, "\n")
	for name, load := range map[string]func(*Exclusions) error{
		"1000000 hosts, plain":        func(x *Exclusions) error { return x.AddList("top sites", strings.NewReader(text)) },
		"1000000 hosts, warning list": func(x *Exclusions) error { return x.AddWarningList(strings.NewReader(string(warningList))) },
	} {
		b.Run(name, func(b *testing.B) {
			var x *Exclusions
			before := heap()
			for b.Loop() {
				x = &Exclusions{}
				if err := load(x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heap()-before)/1e6, "heap-MB")
			runtime.KeepAlive(x)
		})
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkExclude(b *testing.B) {
	x := &Exclusions{}
	if err := x.AddList("top sites", strings.NewReader(strings.Join(million(b), "\n"))); err != nil {
		b.Fatal(err)
	}
	var blocks, parts []string
	for i := range 20_000 {
		blocks = append(blocks, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>12), byte(i >> 4), byte(i << 4), 0}), 20).String())
		parts = append(parts, fmt.Sprintf("@mail-%d.", i))
	}
	for kind, list := range map[string]map[string]any{
		"cloud":      {"type": "cidr", "matching_attributes": []string{"ip-dst"}, "list": blocks},
		"disposable": {"type": "substring", "matching_attributes": []string{"email-src"}, "list": parts},
	} {
		list["name"] = kind
		text, err := json.Marshal(list)
		if err != nil {
			b.Fatal(err)
		}
		if err := x.AddWarningList(strings.NewReader(string(text))); err != nil {
			b.Fatal(err)
		}
	}
	for _, bc := range []struct {
		name    string
		t       Type
		value   string
		exclude bool
	}{
		{name: "listed host", t: TypeHost, value: "www." + listedHost(500_000), exclude: true},
		{name: "other host", t: TypeHost, value: "static.cdn-3.evil.com"},
		{name: "other URL", t: TypeURL, value: "http://static.evil.com/path/to/file.bin?id=1234567890"},
		{name: "listed address", t: TypeAddress, value: "12.16.16.1", exclude: true},
		{name: "other address", t: TypeAddress, value: "93.184.215.14"},
		{name: "other block", t: TypeCIDR, value: "93.184.215.0/24"},
		{name: "other email address", t: TypeEmailAddress, value: "joe.user@evil.com"},
		{name: "other hash", t: TypeFile, value: "00112233445566778899AABBCCDDEEFF"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, exclude := x.Exclude(string(bc.t), bc.value); exclude != bc.exclude {
					b.Fatal(exclude)
				}
			}
		})
	}
}
