package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/ioc"
)

// TestMain runs the tests in a child process with the environment that measurements of memory need.
func TestMain(m *testing.M) {
	if strings.Contains(os.Getenv("GODEBUG"), stopTheWorld) {
		os.Exit(m.Run())
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = measured(), os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// All arguments are valid: if the platform answers honestly, every method sends a request and none fails.
func TestEveryMethodIsCalledWithValidArguments(t *testing.T) {
	b := newBench(t)
	for name, do := range b.calls {
		b.calls[name] = func(r *run) error {
			err := do(r)
			require.NoError(t, err)
			return err
		}
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				out := b.run(t, attempt{Method: name, Seed: seed, Honest: true})
				require.Empty(t, out.Problems)
				require.Positive(t, out.Requests)
			}
		})
	}
}

// Whatever the platform answers, a call ends with its context, uses bounded memory, leaks no goroutine, sends nothing
// to other hosts, shows no credential, and does not contradict itself. Attempts that failed in the past are repeated
// first.
func TestThreatHostilePlatform(t *testing.T) {
	b := newBench(t)
	kept, err := filepath.Glob("testdata/*/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, kept)
	for _, path := range kept {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var a attempt
		require.NoError(t, json.Unmarshal(text, &a))
		require.Contains(t, b.calls, a.Method, path)
		require.Empty(t, b.run(t, a).Problems, path)
	}
	names, err := b.names("")
	require.NoError(t, err)
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); {
		a := attempt{Method: names[rand.IntN(len(names))], Seed: rand.Uint64()}
		require.Empty(t, b.run(t, a).Problems, "go -C tools run ./hostile -only '^%s$' -seed %d -for 1s", a.Method, a.Seed)
	}
}

// The checks find a credential in every spelling in which the platform repeats it.
func TestEveryCredentialSpellingIsDetected(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		var s secrets
		s.add(t.Context(), token)
		shown := spell(random, token)
		require.NotEmpty(t, s.spellings().foundIn("The value "+shown+" is not valid"), "%d: %s", seed, shown)
	}
	var s secrets
	s.add(t.Context(), token)
	require.Empty(t, s.spellings().foundIn("The value "+token[:7]+" is not valid"))
}

// Memory of the platform and of the checks does not count as memory of the client.
func TestHeapWatchCountsOnlyClientMemory(t *testing.T) {
	h := watchHeap()
	ours := strings.Repeat("a", 10<<20)
	h.start()
	require.Less(t, h.take(), uint64(maxResponse))
	clients := ioc.JoinFileSummary(ours, "b", "c")
	h.start() // excludes the temporary copy
	require.InDelta(t, len(clients), h.take(), maxResponse)
	runtime.KeepAlive(ours)
	runtime.KeepAlive(clients)
}
