// Package canon brings the values of indicators, and the names of tags, labels and groups, into the
// one spelling that the platform accepts.
//
// Each function returns the canonical form of a value, or an [*Error] that names the rule and never
// contains the value. They change spelling only: if a change would make another value, they refuse.
// All of them are idempotent, do no I/O and are safe for concurrent use.
//
// All of them refuse invisible characters, such as soft hyphens, zero-width spaces, byte order marks
// and direction marks, because the value would not be the one that people see. Text may contain the
// joiners and variation selectors that words of some scripts and emoji need; URLs and email addresses
// may not.
package canon
