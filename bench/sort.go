package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/extsort"
)

const (
	sortedFew, sortedMany = 50_000, 800_000
	sortedBytes           = 330       // of a record, as many as an encoded item has
	sortMemory            = 256 << 10 // a quarter of the least that MergeItems takes
)

// sorting prints how many bytes per item the external sort and a merge write to temporary files.
// With so little memory, the sort of the few makes 65 files.
func sorting() error {
	fmt.Printf("\n| bytes written per item | %d | %d | ratio | target |\n|---|---|---|---|---|\n", sortedFew, sortedMany)
	for _, r := range []struct {
		name string
		do   func(n int) error
	}{{"external sort", sortRecords}, {"merge", mergeFeed}} {
		few, err := writtenBy(r.do, sortedFew)
		if err != nil {
			return err
		}
		many, err := writtenBy(r.do, sortedMany)
		if err != nil {
			return err
		}
		fmt.Printf("| %s | %.0f | %.0f | **%.2f** | 1.5 |\n", r.name, few, many, many/few)
	}
	return nil
}

func sortRecords(n int) error {
	s := extsort.New("", sortMemory)
	defer s.Close()
	random := rand.New(rand.NewPCG(1, uint64(n)))
	var record [sortedBytes]byte
	for range n {
		binary.LittleEndian.PutUint64(record[:], random.Uint64())
		if err := s.Add(record[:8], record[8:]); err != nil {
			return err
		}
	}
	for _, err := range s.Sorted() {
		if err != nil {
			return err
		}
	}
	return nil
}

func mergeFeed(n int) error {
	opts := &threatconnect.MergeOptions{MaxBytes: 1 << 20}
	for _, err := range threatconnect.MergeItems(context.Background(), threatconnect.BatchItems(feed(n)), opts) {
		if err != nil {
			return err
		}
	}
	return nil
}

// writtenBy returns the number of bytes that this process writes per item.
func writtenBy(do func(n int) error, n int) (float64, error) {
	before, err := written()
	if err != nil {
		return 0, err
	}
	if err := do(n); err != nil {
		return 0, err
	}
	after, err := written()
	return float64(after-before) / float64(n), err
}

// written returns the number of bytes that this process has written.
func written() (int64, error) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`wchar: (\d+)`).FindSubmatch(b)
	if m == nil {
		return 0, fmt.Errorf("/proc/self/io does not report written bytes")
	}
	return strconv.ParseInt(string(m[1]), 10, 64)
}
