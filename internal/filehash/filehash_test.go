package filehash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

// kinds are the letters of hash kinds in tests, and their lengths in digits: m1 is an MD5, s1 a SHA-1,
// t1 a SHA-256.
var kinds = []struct {
	letter byte
	digits int
}{{'m', 32}, {'s', 40}, {'t', 64}}

// hashesOf parses the short form of the hashes of a file.
func hashesOf(short string) Hashes {
	var v [3]string
	for h := range strings.FieldsSeq(short) {
		i := strings.IndexByte("mst", h[0])
		v[i] = strings.Repeat("0", kinds[i].digits-len(h[1:])) + h[1:]
	}
	return Of(v)
}

// short is the inverse of hashesOf.
func short(h *Hashes) string {
	var all []string
	for i := range kinds {
		if b := h.hash(i); b != nil {
			all = append(all, string(kinds[i].letter)+strings.TrimLeft(fmt.Sprintf("%x", b[1:]), "0"))
		}
	}
	return strings.Join(all, " ")
}

// labelOf returns the label of a file as text: merged with its cluster (C), with files of the same
// strongest hash (S), or with files of the same hashes (O), followed by these hashes.
func labelOf(label []byte) string {
	var h Hashes
	switch label[0] {
	case 'S':
		i := int(label[1])
		h[0] = 1 << i
		copy(h[hashSpans[i][0]:hashSpans[i][1]], label[2:])
	default:
		copy(h[:], label[1:])
	}
	return string(label[0]) + " " + short(&h)
}

// sorters creates sorters and remembers them.
type sorters struct {
	made []*extsort.Sorter
	dir  func(n int) string // directory of sorter n; nil: the default
}

func (s *sorters) make() *extsort.Sorter {
	dir := ""
	if s.dir != nil {
		dir = s.dir(len(s.made))
	}
	s.made = append(s.made, extsort.New(dir, 0))
	return s.made[len(s.made)-1]
}

// links returns the input of Clusters for files.
func (s *sorters) links(t *testing.T, files []string) *extsort.Sorter {
	t.Helper()
	links := extsort.New("", 0)
	for _, f := range files {
		h := hashesOf(f)
		require.NoError(t, h.AddTo(links))
	}
	s.made = append(s.made, links)
	return links
}

func (s *sorters) requireClosed(t *testing.T) {
	t.Helper()
	for i, sorter := range s.made {
		require.ErrorContains(t, sorter.Add(nil, nil), "closed", "sorter %d", i)
	}
}

// clustersOf returns the label of each file that is in a cluster, by hashes, with a ! if the cluster
// is torn.
func clustersOf(t *testing.T, files []string) map[string]string {
	t.Helper()
	var s sorters
	all := map[string]string{}
	for c, err := range Clusters(t.Context(), s.make, s.links(t, files)) {
		require.NoError(t, err)
		own := short(&c.Own)
		require.NotContains(t, all, own, "one result per set of hashes")
		label := c.AppendLabel([]byte("after"))
		require.Equal(t, "after", string(label[:5]))
		if all[own] = labelOf(label[5:]); c.Torn {
			all[own] += " !"
		}
	}
	s.requireClosed(t)
	return all
}

func TestClusters(t *testing.T) {
	t.Parallel()
	type clusters = map[string]string
	for name, c := range map[string]struct {
		files []string
		want  clusters
	}{
		"nothing":                     {nil, clusters{}},
		"nothing shared":              {[]string{"m1", "m2", "s1", "t1", "m3 s3 t3"}, clusters{}},
		"the same file":               {[]string{"m1 t1", "m1 t1"}, clusters{}},
		"one hash shared":             {[]string{"m1 s1", "s1 t1"}, clusters{"m1 s1": "C m1 s1 t1", "s1 t1": "C m1 s1 t1"}},
		"a chain":                     {[]string{"m1", "s1 t1", "m1 s1"}, clusters{"m1": "C m1 s1 t1", "s1 t1": "C m1 s1 t1", "m1 s1": "C m1 s1 t1"}},
		"two clusters":                {[]string{"m1", "m1 s1", "m2", "m2 t2"}, clusters{"m1": "C m1 s1", "m1 s1": "C m1 s1", "m2": "C m2 t2", "m2 t2": "C m2 t2"}},
		"two files with one MD5":      {[]string{"m1 t1", "m1 t2", "m1"}, clusters{"m1 t1": "S t1 !", "m1 t2": "S t2 !", "m1": "O m1 !"}},
		"two MD5s of one SHA-256":     {[]string{"m1 t1", "m2 t1", "t1"}, clusters{"m1 t1": "O m1 t1 !", "m2 t1": "O m2 t1 !", "t1": "O t1 !"}},
		"different far away":          {[]string{"m1", "m1 s1", "s1 t1", "t1 m2"}, clusters{"m1": "S m1 !", "m1 s1": "S s1 !", "s1 t1": "S t1 !", "m2 t1": "S t1 !"}},
		"different, and another file": {[]string{"m1 t1", "m1 t2", "m5", "m5 s5"}, clusters{"m1 t1": "S t1 !", "m1 t2": "S t2 !", "m5": "C m5 s5", "m5 s5": "C m5 s5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, clustersOf(t, c.files))
		})
	}
}

// union returns all hashes of files and whether two of one kind differ.
func union(files []string) (all string, torn bool) {
	have := map[byte]string{}
	for _, f := range files {
		for h := range strings.FieldsSeq(f) {
			torn = torn || have[h[0]] != "" && have[h[0]] != h
			have[h[0]] = h
		}
	}
	return strings.Join(slices.Sorted(maps.Values(have)), " "), torn
}

// inMemory computes the result of clustersOf in memory.
func inMemory(files []string) map[string]string {
	by := map[string][]string{}
	for _, f := range files {
		for h := range strings.FieldsSeq(f) {
			by[h] = append(by[h], f)
		}
	}
	clusters := map[string]string{}
	for _, f := range files {
		component := []string{f}
		for i := 0; i < len(component); i++ {
			for h := range strings.FieldsSeq(component[i]) {
				for _, other := range by[h] {
					if !slices.Contains(component, other) {
						component = append(component, other)
					}
				}
			}
		}
		if len(component) == 1 {
			continue
		}
		all, torn := union(component)
		own := strings.Fields(f)
		strongest := own[len(own)-1]
		_, alone := union(by[strongest])
		switch {
		case !torn:
			clusters[f] = "C " + all
		case !alone:
			clusters[f] = "S " + strongest + " !"
		default:
			clusters[f] = "O " + f + " !"
		}
	}
	return clusters
}

func TestClustersMatchInMemoryResult(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		few := 2 + random.IntN(20)
		var files []string
		for range 1 + random.IntN(40) {
			var file []string
			base := random.IntN(few)
			for i := range kinds {
				n := base
				if random.IntN(8) == 0 {
					n = random.IntN(few)
				}
				if random.IntN(2) == 0 {
					file = append(file, fmt.Sprintf("%c%d", kinds[i].letter, n+1))
				}
			}
			if len(file) > 0 {
				files = append(files, strings.Join(file, " "))
			}
		}
		require.Equal(t, inMemory(files), clustersOf(t, files), "seed %d: %q", seed, files)
	}
}

// made is the number of sorters that Clusters creates.
const made = 2*rounds - 1

func TestClustersReturnSorterErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	var pairs, torn []string // more than fits into the memory of a sorter
	for i := range 1000 {
		pairs = append(pairs, fmt.Sprintf("m%d", i+1), fmt.Sprintf("m%d s%d", i+1, i+1))
		torn = append(torn, fmt.Sprintf("m1 t%d", i+1))
	}
	for name, files := range map[string][]string{"pairs": pairs, "torn": torn} {
		for n := range made {
			t.Run(fmt.Sprint(name, " ", n), func(t *testing.T) {
				t.Parallel()
				var s sorters
				links := s.links(t, files)
				s.dir = func(i int) string {
					if i == n+1 {
						return missing
					}
					return ""
				}
				elements := 0
				for c, err := range Clusters(t.Context(), s.make, links) {
					elements++
					require.ErrorIs(t, err, os.ErrNotExist)
					require.Nil(t, c)
				}
				require.Equal(t, 1, elements)
				s.requireClosed(t)
			})
		}
	}

	links := extsort.New(missing, 0)
	defer links.Close()
	var err error
	for i := 0; i < len(pairs) && err == nil; i++ {
		h := hashesOf(pairs[i])
		err = h.AddTo(links)
	}
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestClustersStopWithContext(t *testing.T) {
	t.Parallel()
	ended := errors.New("the test ends it")
	for n := range made {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var s sorters
			links := s.links(t, []string{"m1", "m1 s1", "s1 t1"})
			s.dir = func(i int) string {
				if i == n+1 {
					cancel(ended)
				}
				return ""
			}
			for _, err := range Clusters(ctx, s.make, links) {
				require.ErrorIs(t, err, ended)
			}
			require.Len(t, s.made, 1+min(n+1+n%2, made), "no more sorters")
			s.requireClosed(t)
		})
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var s sorters
	var errs []error
	for _, err := range Clusters(ctx, s.make, s.links(t, []string{"m1", "m1 s1", "s1 t1"})) {
		errs = append(errs, err)
		cancel(ended)
	}
	require.Equal(t, []error{nil, ended}, errs)
	s.requireClosed(t)
}

func TestClustersBreakClosesSorters(t *testing.T) {
	t.Parallel()
	var s sorters
	for range Clusters(t.Context(), s.make, s.links(t, []string{"m1", "m1 s1", "s1 t1"})) {
		break
	}
	s.requireClosed(t)
}
