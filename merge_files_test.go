package threatconnect

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// fileOf returns a file with the given hashes: m1 is an MD5, s1 a SHA-1, t1 a SHA-256.
func fileOf(t *testing.T, short string) *File {
	t.Helper()
	f := new(File)
	for h := range strings.FieldsSeq(short) {
		n := h[1:]
		switch h[0] {
		case 'm':
			f.MD5 = fmt.Sprintf("%032s", n)
		case 's':
			f.SHA1 = fmt.Sprintf("%040s", n)
		case 't':
			f.SHA256 = fmt.Sprintf("%064s", n)
		default:
			require.Fail(t, "no such hash")
		}
	}
	return f
}

// fileIn returns a file with only the hashes of a merged item.
func fileIn(t *testing.T, in BatchItem) *File {
	t.Helper()
	v, err := splitHashes(writtenOf(t, in, BatchCreate).Name)
	require.NoError(t, err)
	return &File{MD5: v[0], SHA1: v[1], SHA256: v[2]}
}

func shortOf(f *File) string {
	var all []string
	for i, h := range [3]string{f.MD5, f.SHA1, f.SHA256} {
		if h != "" {
			all = append(all, "mst"[i:i+1]+strings.TrimLeft(h, "0"))
		}
	}
	return strings.Join(all, " ")
}

func TestFilesAreMergedByAnySharedHash(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   []string
		want []string // of each merged file: its hashes <- its first item + the number of its items
		torn int64
	}{
		"nothing shared":     {[]string{"m1", "m2", "s1", "t1"}, []string{"m1 <- 0+1", "m2 <- 1+1", "s1 <- 2+1", "t1 <- 3+1"}, 0},
		"the same":           {[]string{"m1 t1", "m2", "m1 t1"}, []string{"m1 t1 <- 0+2", "m2 <- 1+1"}, 0},
		"one shared":         {[]string{"m1 s1", "s1 t1"}, []string{"m1 s1 t1 <- 0+2"}, 0},
		"a chain":            {[]string{"m1", "s1 t1", "m1 s1"}, []string{"m1 s1 t1 <- 0+3"}, 0},
		"its ends":           {[]string{"t1", "m1", "s1 t1", "m1 s1", "m1", "t1"}, []string{"m1 s1 t1 <- 0+6"}, 0},
		"all three":          {[]string{"m1", "s1", "t1", "m1 s1 t1"}, []string{"m1 s1 t1 <- 0+4"}, 0},
		"two clusters":       {[]string{"m1 s1", "m2 s2", "s1 t1", "s2 t2"}, []string{"m1 s1 t1 <- 0+2", "m2 s2 t2 <- 1+2"}, 0},
		"letters of a digit": {[]string{"ma", "mA"}, []string{"mA <- 0+2"}, 0},

		// Torn clusters: files are merged by their strongest hash, unless it is torn, too.
		"two files with one MD5":        {[]string{"m1 t1", "m1 t2", "m1 t1"}, []string{"m1 t1 <- 0+2", "m1 t2 <- 1+1"}, 3},
		"and the MD5 alone":             {[]string{"m1 t1", "m1", "m1 t2", "m1"}, []string{"m1 t1 <- 0+1", "m1 <- 1+2", "m1 t2 <- 2+1"}, 4},
		"and more of one":               {[]string{"m1 t1", "m1 t2", "s1 t1", "t2"}, []string{"m1 s1 t1 <- 0+2", "m1 t2 <- 1+2"}, 4},
		"two MD5s of one file":          {[]string{"m1 t1", "m2 t1", "t1", "m2 t1"}, []string{"m1 t1 <- 0+1", "m2 t1 <- 1+2", "t1 <- 2+1"}, 4},
		"torn at the far end":           {[]string{"m1", "m1 s1", "s1 t1", "t1 m2"}, []string{"m1 <- 0+1", "m1 s1 <- 1+1", "m2 s1 t1 <- 2+2"}, 4},
		"a long chain":                  {[]string{"m1 s1", "s1 m2", "m2 s2", "s2 m3", "m1"}, []string{"m1 s1 <- 0+1", "m2 s1 <- 1+1", "m2 s2 <- 2+1", "m3 s2 <- 3+1", "m1 <- 4+1"}, 5},
		"another cluster is none of it": {[]string{"m1 t1", "m1 t2", "m5", "m5 s5"}, []string{"m1 t1 <- 0+1", "m1 t2 <- 1+1", "m5 s5 <- 2+2"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var items []BatchItem
			for _, short := range c.in {
				items = append(items, fileOf(t, short))
			}
			got, origins, stats := mergedOf(t, MergeOptions{}, items...)
			all := []string{}
			for i, item := range got {
				all = append(all, fmt.Sprintf("%s <- %d+%d", shortOf(fileIn(t, item)), origins[i].First, origins[i].Count))
			}
			assert.Equal(t, c.want, all)
			assert.Equal(t, c.torn, stats.Torn)
		})
	}
}

func TestMergedFilesKeepOccurrencesAndSize(t *testing.T) {
	t.Parallel()
	a, b := fileOf(t, "m1 s1"), fileOf(t, "s1 t1")
	a.Occurrences = []FileOccurrence{{FileName: "a.exe", ID: 1}, {Path: "/"}}
	b.Occurrences = []FileOccurrence{{Path: "/"}, {FileName: "a.exe"}, {FileName: "b.exe"}}
	a.Rating, b.Size = new(1.0), new(int64(12))
	got, _, _ := mergedOf(t, MergeOptions{}, a, b)
	want := fileOf(t, "m1 s1 t1")
	want.Occurrences = []FileOccurrence{{FileName: "a.exe", ID: 1}, {Path: "/"}, {FileName: "b.exe"}}
	want.Rating, want.Size = new(1.0), new(int64(12))
	require.Len(t, got, 1)
	requireItem(t, want, got[0])

	got, _, _ = mergedOf(t, MergeOptions{}, b, fileOf(t, "m7"))
	requireItem(t, b, got[0])
	b.Occurrences = append(b.Occurrences, b.Occurrences[0])
	got, _, _ = mergedOf(t, MergeOptions{}, b)
	b.Occurrences = b.Occurrences[:3]
	requireItem(t, b, got[0]) // a list of one file is deduplicated, too
}

// clustersInMemory follows the documentation of MergeItems with all hashes in memory. It returns, for
// each file, the position of the first file that it is merged with.
func clustersInMemory(files []*File) []int {
	hashes := func(f *File) []string { return strings.Fields(shortOf(f)) }
	differ := func(members []int) bool {
		kinds := map[byte]string{}
		for _, i := range members {
			for _, h := range hashes(files[i]) {
				if have, ok := kinds[h[0]]; ok && have != h {
					return true
				}
				kinds[h[0]] = h
			}
		}
		return false
	}
	root := make([]int, len(files))
	by := map[string][]int{}
	for i, f := range files {
		root[i] = i
		for _, h := range hashes(f) {
			by[h] = append(by[h], i)
		}
	}
	for changed := true; changed; {
		changed = false
		for _, members := range by {
			least := len(files)
			for _, i := range members {
				least = min(least, root[i])
			}
			for _, i := range members {
				changed = changed || root[i] != least
				root[i] = least
			}
		}
	}
	components := map[int][]int{}
	for i := range files {
		components[root[i]] = append(components[root[i]], i)
	}
	first := make([]int, len(files))
	groups := map[string][]int{}
	for r, members := range components {
		torn := differ(members)
		for _, i := range members {
			all := hashes(files[i])
			strongest := all[len(all)-1]
			key := fmt.Sprint("component ", r)
			switch {
			case torn && differ(by[strongest]):
				key = "own " + shortOf(files[i])
			case torn:
				key = "strongest " + strongest
			}
			groups[key] = append(groups[key], i)
		}
	}
	for members := range maps.Values(groups) {
		for _, i := range members {
			first[i] = slices.Min(members)
		}
	}
	return first
}

// randomFiles returns files with few different hashes, so that they form clusters of all shapes.
func randomFiles(t *testing.T, random *rand.Rand, count, hashes int) []*File {
	t.Helper()
	files := make([]*File, count)
	for i := range files {
		var short []string
		base := random.IntN(hashes) + 1
		for kind := range 3 {
			n := base
			if random.IntN(8) == 0 {
				n = random.IntN(hashes) + 1 // may tear a cluster
			}
			if random.IntN(2) == 0 {
				short = append(short, fmt.Sprintf("%c%d", "mst"[kind], n))
			}
		}
		if len(short) == 0 {
			short = append(short, fmt.Sprintf("m%d", base))
		}
		files[i] = fileOf(t, strings.Join(short, " "))
	}
	return files
}

func TestFileClustersMatchInMemoryResult(t *testing.T) {
	t.Parallel()
	for seed := range scaletest.N(uint64(300)) {
		random := rand.New(rand.NewPCG(seed, 7))
		checkClusters(t, randomFiles(t, random, 1+random.IntN(60), 1+random.IntN(40)))
	}
	n := scaletest.N(5_000) // too many for MaxBytes
	checkClusters(t, randomFiles(t, rand.New(rand.NewPCG(1, 1)), n, n/2))
}

func checkClusters(t *testing.T, files []*File) {
	t.Helper()
	items := make([]BatchItem, len(files))
	for i, f := range files {
		f.Tags = []Tag{{Name: fmt.Sprint(i)}}
		items[i] = f
	}
	got, _, _ := mergedOf(t, MergeOptions{MaxBytes: 1 << 20}, items...)
	first := clustersInMemory(files)
	where := map[int]BatchItem{}
	n := 0
	for i := range files {
		if first[i] == i {
			where[i] = got[n]
			n++
		}
	}
	require.Len(t, got, n)
	tags, hashes := map[int][]string{}, map[int]map[string]bool{}
	for i, f := range files {
		tags[first[i]] = append(tags[first[i]], f.Tags[0].Name)
		if hashes[first[i]] == nil {
			hashes[first[i]] = map[string]bool{}
		}
		for h := range strings.FieldsSeq(shortOf(f)) {
			hashes[first[i]][h] = true
		}
	}
	for i, in := range where {
		require.Equal(t, tags[i], tagsOf(t, in))
		require.ElementsMatch(t, slices.Collect(maps.Keys(hashes[i])), strings.Fields(shortOf(fileIn(t, in))))
	}
}

func FuzzFileClustersMatchInMemoryResult(f *testing.F) {
	f.Add([]byte("\x07\x01\x01\x01\x03\x01\x02\x09"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var files []*File
		for len(b) >= 4 && len(files) < 200 {
			var short []string
			for kind := range 3 {
				if b[0]&(1<<kind) != 0 {
					short = append(short, fmt.Sprintf("%c%d", "mst"[kind], b[1+kind]%16+1))
				}
			}
			if len(short) > 0 {
				files = append(files, fileOf(t, strings.Join(short, " ")))
			}
			b = b[4:]
		}
		checkClusters(t, files)
	})
}
