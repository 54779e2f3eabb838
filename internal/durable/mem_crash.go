package durable

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
)

// Crashes returns the states of the disk that are possible if the machine fails now. A name that was changed
// since the last Sync of its directory has any of its values since then. A file that was written since its
// last Sync has the old content, the first half of the new content with or without zeros for the rest, only
// zeros, or the new content.
//
// If there are more than most states, Crashes returns those in which everything and nothing is lost, and a
// sample that depends on the seed. The states have no faults and unlimited room.
func (m *Mem) Crashes(most int, seed uint64) []*Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &memChoices{index: map[memChoice]int{}}
	c.collect(m.top)
	total := 1
	for _, n := range c.sizes {
		total = min(total*n, most+1)
	}
	pick := make([]int, len(c.sizes))
	random := rand.New(rand.NewPCG(seed, uint64(len(m.ops))))
	var states []*Mem
	for n := range min(total, most) {
		rest := n
		for i, size := range c.sizes {
			switch {
			case total <= most:
				pick[i], rest = rest%size, rest/size
			case n == 0:
				pick[i] = 0
			case n == 1:
				pick[i] = size - 1
			default:
				pick[i] = random.IntN(size)
			}
		}
		s := NewMem()
		s.top, s.now = c.build(m.top, pick, map[*memNode]*memNode{}), m.now
		states = append(states, s)
	}
	return states
}

// memChoices are the independent choices of a crash, each with its number of values. Value 0 is the durable
// one, and the last value is the newest.
type memChoices struct {
	sizes []int
	index map[memChoice]int
}

// memChoice is the choice of the content of a file, or of the node of a name in a directory.
type memChoice struct {
	node *memNode
	name string // empty for the content
}

func (c *memChoices) add(choice memChoice, size int) {
	if _, seen := c.index[choice]; !seen {
		c.index[choice] = len(c.sizes)
		c.sizes = append(c.sizes, size)
	}
}

func (c *memChoices) collect(n *memNode) {
	if !n.dir {
		if !bytes.Equal(n.data, n.synced) {
			c.add(memChoice{node: n}, len(n.contents()))
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.durable)) {
		c.collect(n.durable[name])
	}
	for _, change := range n.changes {
		if change.node != nil {
			c.collect(change.node)
		}
		c.add(memChoice{n, change.name}, len(n.values(change.name)))
	}
}

// contents returns the possible contents of a file after a crash.
func (n *memNode) contents() [][]byte {
	half := len(n.data) / 2
	return [][]byte{
		n.synced,
		n.data[:half],
		make([]byte, len(n.data)),
		append(bytes.Clone(n.data[:half]), make([]byte, len(n.data)-half)...),
		n.data,
	}
}

// values returns the possible nodes of a name after a crash.
func (n *memNode) values(name string) []*memNode {
	values := []*memNode{n.durable[name]}
	for _, c := range n.changes {
		if c.name == name {
			values = append(values, c.node)
		}
	}
	return values
}

func (c *memChoices) build(n *memNode, pick []int, built map[*memNode]*memNode) *memNode {
	if b := built[n]; b != nil {
		return b
	}
	b := &memNode{mod: n.mod}
	built[n] = b
	if !n.dir {
		b.synced = n.synced
		if i, open := c.index[memChoice{node: n}]; open {
			b.synced = n.contents()[pick[i]]
		}
		b.data = b.synced
		return b
	}
	*b = *newMemDir()
	children := maps.Clone(n.durable)
	for _, change := range n.changes {
		children[change.name] = n.values(change.name)[pick[c.index[memChoice{n, change.name}]]]
	}
	for name, child := range children {
		if child != nil {
			b.durable[name] = c.build(child, pick, built)
			b.names[name] = b.durable[name]
		}
	}
	return b
}
