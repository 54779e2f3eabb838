package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// bench makes attempts, one after another.
type bench struct {
	world *world
	calls map[string]call
	heap  *heap
}

func newBench(t *testing.T) *bench {
	b := &bench{calls: calls()}
	synctest.Test(t, func(t *testing.T) { b.world = newWorld(t) })
	b.heap = watchHeap()
	return b
}

// run makes an attempt in virtual time.
func (b *bench) run(t *testing.T, a attempt) (out outcome) {
	b.heap.start()
	start := time.Now()
	synctest.Test(t, func(t *testing.T) { out = a.inBubble(t, b) })
	out.Took = time.Since(start)
	if out.Heap > maxHeap {
		out.Problems = append(out.Problems, fmt.Sprintf("the client had %d MiB in use", out.Heap>>20))
	}
	return out
}

// names returns the names of the calls that a pattern matches.
func (b *bench) names(only string) ([]string, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(b.calls)), func(name string) bool { return !pattern.MatchString(name) })
	if len(names) == 0 {
		return nil, fmt.Errorf("no method or workflow matches %q", only)
	}
	return names, nil
}

// plan selects the attempts of a worker: those with the seeds First, First+Step and so on.
type plan struct {
	First, Step uint64
	For         time.Duration
	Only        string
}

// work makes attempts and writes a line before and after each. It ends the process: the functions of testing/synctest
// need a test, so it runs one.
func work(p plan, to io.Writer) {
	testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "hostile", F: func(t *testing.T) {
		lines := json.NewEncoder(to)
		b := newBench(t)
		names, err := b.names(p.Only)
		require.NoError(t, err)
		end := time.Now().Add(p.For)
		for seed := p.First; time.Now().Before(end); seed += p.Step {
			a := attempt{Method: names[seed%uint64(len(names))], Seed: seed}
			require.NoError(t, lines.Encode(a))
			require.NoError(t, lines.Encode(b.run(t, a)))
		}
	}}}, nil, nil)
}

// workerPlan is the environment variable with the plan of a worker.
const workerPlan = "HOSTILE_PLAN"

// workIfTold does the work of a worker and ends the process, if this process is a worker.
func workIfTold() {
	text, ok := os.LookupEnv(workerPlan)
	if !ok {
		return
	}
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	work(p, os.Stdout)
}
