// Package p is mutated by the test of the command mutate.
package p

// Tested reports whether n is more than 2.
func Tested(n int) bool { return n > 2 }

// Untested returns 7.
func Untested() (n int) {
	n = 7
	return n
}
