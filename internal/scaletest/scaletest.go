// Package scaletest decides how much work an expensive test does: the number of its cases, the number of its seeds or
// the size of its inputs.
//
//	go test -short ./...   one twentieth
//	go test ./...          one quarter
//	FULL=1 go test ./...   all of it, as .ci/run does
//
// No test is skipped: a smaller one checks the same properties of fewer or smaller cases. Bounds that do not depend on
// the size of the input, such as those of memory, are only strict with FULL=1.
package scaletest

import (
	"os"
	"testing"
)

// N returns how many of n cases a test runs: n divided by Stride, and at least 1.
func N[T int | int64 | uint64](n T) T { return max(1, n/T(Stride())) }

// Size returns the size of an input that tests nothing if it is small: a quarter of n with -short, otherwise n. Small
// inputs for RequireLinear, for example, take too little time to measure.
func Size(n int) int { return Short(n/4, n) }

// Short returns short with -short and otherwise full. It is for sizes that neither N nor Size fits.
func Short[T any](short, full T) T {
	if Stride() == shortStride {
		return short
	}
	return full
}

const shortStride = 20

// Stride returns the distance between the cases that a test runs: 1 if the environment variable FULL is not empty, 20
// with -short, otherwise 4. FULL has precedence over -short. Stride panics before the flags of the test are parsed.
func Stride() int {
	switch {
	case os.Getenv("FULL") != "":
		return 1
	case testing.Short():
		return shortStride
	default:
		return 4
	}
}
