// Package kinds has code for each kind of mutant.
package kinds

import "errors"

var errShort = errors.New("short")

func (l list) sum(most int) (total int, err error) {
	defer done()
	for i := 0; i < len(l); i++ {
		if l[i] == 'a' && total > 0 {
			continue
		}
		total += min(l[i], most)
	}
	l = make(list, 0, 64)
	done()
	done()
	return total, errShort
}

type list []int

func done() {}

const least = 0

func zero() int { return least }
