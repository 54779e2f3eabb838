package wire

import "cmp"

// DefaultLimit is the default limit of a Reader: three times the default maximum size of an element
// in [Elements]. See [Reader.Limit].
const DefaultLimit = 3 * elementsMax

// Limit caps the memory of the values created from a text at n bytes. The Reader counts strings and
// raw values; callers report structs with [Reader.Spend]. A limit on the size of the text would not
// suffice, because three bytes of text can become a struct of 500 bytes. 0 means [DefaultLimit].
func (r *Reader) Limit(n int64) { r.limit, r.left = n, cmp.Or(n, DefaultLimit) }

// Charge makes r also charge its memory to another Reader, so a Reader of a part of a text has no
// limit of its own.
func (r *Reader) Charge(to *Reader) { r.payer = to }

// Spend records that the caller creates a value of n bytes from the text. Beyond the limit, it
// records an error that matches [ErrTooLarge].
func (r *Reader) Spend(n int) {
	r.left -= int64(n)
	if r.payer != nil {
		r.payer.Spend(n)
		r.left = r.payer.left
	}
	if r.left < 0 {
		r.fail(r.i, whatMemory)
	}
}
