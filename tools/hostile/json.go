package main

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"strings"
)

// node is a JSON value that can be written with errors. The members of an object are alternating keys and values.
type node struct {
	open byte    // '{', '[', or 0 for raw
	kids []*node // of an object: key, value, key, value
	raw  string  // text of any other value
}

// parseJSON returns the value of a text, or nil if it is not JSON or too long.
func parseJSON(text []byte) *node {
	if len(text) > 64<<10 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v := parseValue(d)
	if v == nil || d.More() {
		return nil
	}
	return v
}

func parseValue(d *json.Decoder) *node {
	t, err := d.Token()
	if err != nil {
		return nil
	}
	switch t := t.(type) {
	case json.Delim:
		n := &node{open: t.String()[0]}
		for d.More() {
			kid := parseValue(d)
			if kid == nil {
				return nil
			}
			n.kids = append(n.kids, kid)
		}
		if _, err := d.Token(); err != nil {
			return nil
		}
		return n
	case json.Number:
		return &node{raw: string(t)}
	}
	b, err := json.Marshal(t)
	if err != nil {
		return nil
	}
	return &node{raw: string(b)}
}

// write appends the value as text. It stops at limit bytes.
func (n *node) write(b *bytes.Buffer, limit int) {
	if b.Len() > limit {
		return
	}
	if n.open == 0 {
		b.WriteString(n.raw)
		return
	}
	b.WriteByte(n.open)
	for i, kid := range n.kids {
		if i > 0 && (n.open == '[' || i%2 == 0) {
			b.WriteByte(',')
		} else if i > 0 {
			b.WriteByte(':')
		}
		kid.write(b, limit)
	}
	b.WriteByte(n.open + 2) // ']' and '}'
}

// all appends the value and its descendants, without keys, up to 2,000 values.
func (n *node) all(to []*node) []*node {
	to = append(to, n)
	for i, kid := range n.kids {
		if (n.open == '[' || i%2 == 1) && len(to) < 2000 {
			to = kid.all(to)
		}
	}
	return to
}

// clone returns a copy that shares nothing with the value.
func (n *node) clone() *node {
	c := *n
	c.kids = nil
	for _, kid := range n.kids {
		c.kids = append(c.kids, kid.clone())
	}
	return &c
}

// oddTexts are JSON strings, some of which are invalid.
var oddTexts = []string{
	`""`, `" "`, `"\u0000"`, `"\u001b]0;owned\u0007"`, `"\u202egpj.exe"`, `"\u200b\u2066\ufeff"`, `"\ud800"`, `"\udc00\ud800"`, "\"\xff\xfe\"", "\"a\nb\"", `"\x"`, `"=1+1"`,
	`"../../etc/passwd"`, `"%2e%2e%2f"`, `"http://evil.example/"`, `"NaN"`, `"2026-13-45T99:99:99Z"`, `"0001-01-01T00:00:00Z"`, `"99999-01-01"`, `"true"`, `"-1"`, `"9223372036854775808"`,
	`"Success"`, `"Failure"`, `"Completed"`, `"Running"`, `"Queued"`, `"Created"`, `"Host"`, `"File"`, `"Incident"`, `"?"`, `" : : "`, `"0.0.0.0/0"`,
}

var oddNumbers = []string{
	"0", "-0", "-1", "1", "2", "1.5", "1e3", "1e400", "-1e-400", "2147483647", "2147483648", "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
	"01", "1e", "0x10", "NaN", strings.Repeat("9", 400),
}

var oddValues = []string{"null", "true", "false", "{}", "[]", "[[]]", "[null]", `{"a":1}`, "", "nul", "<html>"}

var oddKeys = []string{`""`, `"id"`, `"ID"`, `"name"`, `"status"`, `"data"`, `"message"`, `"resultCount"`, `"type"`, `"summary"`, `"xid"`, `"__proto__"`, `"a\u0000b"`, "\"\xff\""}

// statuses are those of batch jobs and bulk reports.
var statuses = []string{`"Created"`, `"Queued"`, `"Running"`, `"Completed"`, `"Completed With Errors"`, `"Failed"`, `"Complete"`, `"?"`}

// mutate changes a value in one place. seen contains values of other responses.
func (n *node) mutate(random *rand.Rand, seen []*node) {
	nodes := n.all(nil)
	at := nodes[random.IntN(len(nodes))]
	switch random.IntN(14) {
	case 0: // drop
		if i, width := at.place(random); width > 0 {
			at.kids = append(at.kids[:i:i], at.kids[i+width:]...)
		}
	case 1: // duplicate, with another value now and then
		if i, width := at.place(random); width > 0 {
			at.kids = append(at.kids, at.kids[i:i+width]...)
			if random.IntN(2) == 0 {
				at.kids[len(at.kids)-1] = &node{raw: pick(random, oddValues...)}
			}
		}
	case 2: // rename
		if i, width := at.place(random); width == 2 {
			at.kids[i] = &node{raw: pick(random, oddKeys...)}
		}
	case 3: // nest
		inner := *at
		if random.IntN(2) == 0 {
			*at = node{open: '[', kids: []*node{&inner}}
		} else {
			*at = node{open: '{', kids: []*node{{raw: pick(random, oddKeys...)}, &inner}}
		}
	case 4: // unnest
		if len(at.kids) > 0 {
			*at = *at.kids[len(at.kids)-1]
		}
	case 5:
		*at = node{raw: pick(random, oddValues...)}
	case 6:
		*at = node{raw: pick(random, oddNumbers...)}
	case 7:
		*at = node{raw: pick(random, oddTexts...)}
	case 8: // deep
		depth := pick(random, 50, 1000, 20_000)
		*at = node{raw: strings.Repeat("[", depth) + strings.Repeat("]", depth-random.IntN(2))}
	case 9: // long
		*at = node{raw: `"` + strings.Repeat(pick(random, "a", "é", `\u0000`, " ", "<"), pick(random, 200, 5000, 300_000)) + `"`}
	case 10: // many
		if i, width := at.place(random); width > 0 {
			for range pick(random, 10, 1000, 200_000/(len(at.kids)+1)) {
				at.kids = append(at.kids, at.kids[i:i+width]...)
			}
		}
	case 11: // a value of another answer
		if len(seen) > 0 {
			other := pick(random, seen...).all(nil)
			*at = *pick(random, other...).clone()
		}
	case 12: // numbers, such as IDs and counts
		for _, one := range nodes {
			if id, err := strconv.Atoi(one.raw); err == nil && random.IntN(3) == 0 {
				one.raw = strconv.Itoa(id + random.IntN(5) - 2)
			}
		}
	case 13: // states and counts
		for _, one := range nodes {
			for i := 0; one.open == '{' && i < len(one.kids); i += 2 {
				switch key := one.kids[i].raw; {
				case key == `"status"` && one != n:
					one.kids[i+1] = &node{raw: pick(random, statuses...)}
				case strings.HasSuffix(key, `Count"`):
					one.kids[i+1] = &node{raw: pick(random, oddNumbers[:13]...)}
				}
			}
		}
	}
}

// place returns the index of an element or member of a list or object, and how many nodes it has.
func (n *node) place(random *rand.Rand) (i, width int) {
	switch {
	case len(n.kids) == 0:
		return 0, 0
	case n.open == '[':
		return random.IntN(len(n.kids)), 1
	}
	return 2 * random.IntN(len(n.kids)/2), 2
}
