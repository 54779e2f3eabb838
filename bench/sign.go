package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// signing runs the benchmark of signing in the package, which has access to unexported names, and prints its rows.
func signing(rounds int) error {
	var out []byte
	for range rounds { // not -count, which would run one thing after another
		cmd := exec.Command("go", "test", "-run", "^$", "-bench", "^BenchmarkSigning$", "-benchmem", "-benchtime", "0.2s", ".")
		cmd.Dir = ".."
		cmd.Stderr = os.Stderr
		one, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("the benchmark of signing (this program runs in its own folder, see go -C): %w", err)
		}
		out = append(out, one...)
	}
	ns := map[string][]float64{}
	allocs := ""
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		name, ok := strings.CutPrefix(lines.Text(), "BenchmarkSigning/")
		f := strings.Fields(name)
		if !ok || len(f) < 7 {
			continue
		}
		v, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return err
		}
		name, _, _ = strings.Cut(f[0], "-")
		ns[name] = append(ns[name], v)
		if name == "request" {
			allocs = f[6]
		}
	}
	fmt.Println("\n| signing a request / HMAC of the same bytes | ns | | ratio | allocations |")
	fmt.Println("|---|---|---|---|---|")
	for _, other := range []string{"new_HMAC", "kept_HMAC"} {
		if len(ns["request"]) == 0 || len(ns["request"]) != len(ns[other]) {
			return fmt.Errorf("the benchmark of signing printed something else:\n%s", out)
		}
		var ratio []float64
		for i, v := range ns["request"] {
			ratio = append(ratio, v/ns[other][i])
		}
		fmt.Printf("| signing / %s | %s | %s | **%s** | %s |\n", strings.ReplaceAll(other, "_", " "),
			text(slices.Clone(ns["request"]), 0), text(ns[other], 0), text(ratio, 2), allocs)
	}
	return nil
}
