// Package canon converts indicator values, and names of tags, labels and groups, to the spelling
// that the platform accepts.
//
// Each function returns the canonical form of a value, or an [*Error] that names the rule and never
// contains the value. Functions change only the spelling; if a change would produce another value,
// they return an error. All functions are idempotent, do no I/O and are safe for concurrent use.
//
// All functions refuse invisible characters, such as soft hyphens, zero-width spaces, byte order
// marks and direction marks, because readers would not see the real value. Text can contain the
// joiners and variation selectors that emoji and words of some scripts need, but URLs and email
// addresses cannot.
package canon
