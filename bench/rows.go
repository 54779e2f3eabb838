package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a line of the table.
type row struct {
	name      string
	pkg, bare side // bare without a name: there is nothing to compare with
	target    string

	ours, theirs []used
}

var rows = []row{
	{name: "import 250,000 / post ready-made files, uploads checked", pkg: side{name: "import", n: 250_000, mode: careful}, bare: side{name: "post files", n: 250_000, mode: careful}, target: "wall 1.5, CPU 2, 32 MiB"},
	{name: "import 250,000 / post ready-made files, uploads dropped", pkg: side{name: "import", n: 250_000}, bare: side{name: "post files", n: 250_000}, target: "wall 1.5, CPU 2, 32 MiB"},
	{name: "import 250,000 / post ready-made bytes, uploads dropped", pkg: side{name: "import", n: 250_000}, bare: side{name: "post bytes", n: 250_000}, target: "wall 1.5, CPU 2, 32 MiB"},
	{name: "import 250,000 / structs and encoding/json", pkg: side{name: "import", n: 250_000}, bare: side{name: "marshal", n: 250_000}},
	{name: "import 250,000 / make the items, post ready-made bytes, uploads dropped", pkg: side{name: "import", n: 250_000}, bare: side{name: "post, make", n: 250_000}},
	{name: "import 250,000 / make the items only", pkg: side{name: "import", n: 250_000}, bare: side{name: "make items", n: 250_000}},
	{name: "import 2,000,000 / post ready-made files, uploads checked", pkg: side{name: "import", n: 2_000_000, mode: careful}, bare: side{name: "post files", n: 2_000_000, mode: careful}, target: "32 MiB"},
	{name: "import 250,000 with a spool / without", pkg: side{name: "import, spool", n: 250_000}, bare: side{name: "import", n: 250_000}, target: "32 MiB"},
	{name: "import 250,000 merged first / not", pkg: side{name: "import, merge", n: 250_000}, bare: side{name: "import", n: 250_000}, target: "wall 2"},
	{name: "import 250,000, 3 of 4 duplicates, merged first / not", pkg: side{name: "repeats, merge", n: 250_000}, bare: side{name: "repeats", n: 250_000}, target: "wall 2.5"},
	{name: "import 2,000,000 merged first / 250,000 merged first", pkg: side{name: "import, merge", n: 2_000_000}, bare: side{name: "import, merge", n: 250_000}, target: "flat memory"},
	{name: "import 2,000,000, 3 of 4 duplicates, merged first / 250,000", pkg: side{name: "repeats, merge", n: 2_000_000}, bare: side{name: "repeats, merge", n: 250_000}, target: "flat memory"},
	{name: "import 1,000,000 hosts / 100,000 hosts", pkg: side{name: "import hosts", n: 1_000_000}, bare: side{name: "import hosts", n: 100_000}, target: "64 MiB, flat"},
	{name: "list 100,000 / bare, 10,000 per page", pkg: side{name: "list", n: listed, page: 10_000}, bare: side{name: "list bare", n: listed, page: 10_000}, target: "wall 1"},
	{name: "list 100,000 / bare, 500 per page", pkg: side{name: "list", n: listed, page: 500}, bare: side{name: "list bare", n: listed, page: 500}},
	{name: "list ahead / sequential, 500 per page, 50 ms", pkg: side{name: "list ahead", n: listed, page: 500, mode: slow}, bare: side{name: "list", n: listed, page: 500, mode: slow}, target: "wall 1/6"},
	{name: "list ahead / sequential, 10,000 per page, 50 ms", pkg: side{name: "list ahead", n: listed, page: 10_000, mode: slow}, bare: side{name: "list", n: listed, page: 10_000, mode: slow}},
	{name: "get 10,000 hosts / bare, signed by hand", pkg: side{name: "get", n: 10_000}, bare: side{name: "get bare", n: 10_000}, target: "wall 1.1"},
	{name: "bulk JSON of 1,000,000 / token loop", pkg: side{name: "bulk", n: bulked}, bare: side{name: "bulk bare", n: bulked}, target: "wall 1, 24 MiB"},
}

// measure alternates between the sides, so that other load of the machine affects both.
func (r *row) measure(b *bench, rounds int) error {
	for range rounds {
		for _, s := range []struct {
			side side
			into *[]used
		}{{r.pkg, &r.ours}, {r.bare, &r.theirs}} {
			u, err := b.run(s.side)
			if err != nil {
				return err
			}
			*s.into = append(*s.into, u)
		}
	}
	return nil
}

func printHead() {
	fmt.Printf("%s, %s/%s, %d cores\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Println("| this package / comparison | wall s | | wall ratio | CPU s | | CPU ratio | peak MiB | | target |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
}

func (r *row) print() {
	wall := func(u used) float64 { return u.wall.Seconds() }
	cpu := func(u used) float64 { return u.cpu.Seconds() }
	peak := func(u used) float64 { return float64(u.peak) / (1 << 20) }
	cells := []string{
		r.name,
		spread(r.ours, wall, 2), spread(r.theirs, wall, 2), ratios(r.ours, r.theirs, wall),
		spread(r.ours, cpu, 2), spread(r.theirs, cpu, 2), ratios(r.ours, r.theirs, cpu),
		spread(r.ours, peak, 0), spread(r.theirs, peak, 0),
		r.target,
	}
	fmt.Println("| " + strings.Join(cells, " | ") + " |")
}

// spread returns the median of the runs, with minimum and maximum.
func spread(runs []used, of func(used) float64, digits int) string {
	var v []float64
	for _, u := range runs {
		v = append(v, of(u))
	}
	return text(v, digits)
}

// ratios returns the ratios of neighboring runs.
func ratios(ours, theirs []used, of func(used) float64) string {
	var v []float64
	for i := range ours {
		v = append(v, of(ours[i])/max(of(theirs[i]), time.Microsecond.Seconds()))
	}
	return "**" + text(v, 2) + "**"
}

func text(v []float64, digits int) string {
	slices.SortFunc(v, cmp.Compare[float64])
	return fmt.Sprintf("%.*f [%.*f–%.*f]", digits, v[len(v)/2], digits, v[0], digits, v[len(v)-1])
}
