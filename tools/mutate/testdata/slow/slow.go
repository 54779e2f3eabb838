// Package slow has a test that takes too long.
package slow

// F returns 1.
func F() int { return 1 }
