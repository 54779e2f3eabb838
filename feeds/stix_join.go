package feeds

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// stixVersion is a version of an object, or a reference, with only the sequence number of the object that contains it.
type stixVersion struct {
	seq          int64
	kind         stixKind
	line         int64
	record       int64 // position in stixReader.records; -1 if it has none
	second, nano int64 // of the modification
	id           string
}

func (v *stixVersion) pack() []byte {
	b := make([]byte, 0, 64)
	numbers := []int64{v.seq, int64(v.kind), v.line, v.record, v.second, v.nano}
	for len(numbers) > 0 && numbers[len(numbers)-1] == 0 { // of references
		numbers = numbers[:len(numbers)-1]
	}
	b = append(b, byte(len(numbers)))
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return append(b, v.id...)
}

func unpack(b []byte) (v stixVersion) {
	numbers := [...]*int64{&v.seq, (*int64)(&v.kind), &v.line, &v.record, &v.second, &v.nano}
	count := int(b[0])
	b = b[1:]
	for _, p := range numbers[:count] {
		n, size := binary.Varint(b)
		*p, b = n, b[size:]
	}
	v.id = string(b)
	return v
}

// Roles of a record: an object, or a reference to one.
const (
	roleSelf byte = iota // sorts before the references
	roleSource
	roleTarget
	roleContent // in object_refs
)

// idKey returns the key of a record in byID. It hashes the ID, because hashes are shorter and differ in their first bytes.
func idKey(id string, role byte) []byte {
	sum := sha256.Sum256([]byte(id))
	return append(sum[:16:16], role)
}

// seqKey returns the key of a record in bySeq.
func seqKey(seq int64, role byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(seq)), role)
}

// resultKey returns the key of an object in results, or of its association with a group.
func resultKey(v *stixVersion, group int64) []byte {
	key := []byte{0}
	if v.kind == stixIndicator {
		key[0] = 1
	}
	key = binary.BigEndian.AppendUint64(key, uint64(v.seq))
	return binary.BigEndian.AppendUint64(key, uint64(group))
}

// resolve finds the newest version of each object, and adds it to the references to it.
func (r *stixReader) resolve() error {
	var hash []byte
	var newest stixVersion
	finish := func() error {
		if newest.kind == stixMissing {
			return nil
		}
		return r.sort(&r.bySeq, seqKey(newest.seq, roleSelf), newest.pack())
	}
	for rec, err := range r.byID.Sorted() {
		if err != nil {
			return err
		}
		end := len(rec.Key) - 1
		if !bytes.Equal(rec.Key[:end], hash) {
			if err := finish(); err != nil {
				return err
			}
			hash, newest = append(hash[:0], rec.Key[:end]...), stixVersion{}
		}
		v := unpack(rec.Value)
		if role := rec.Key[end]; role != roleSelf {
			found := stixVersion{seq: newest.seq, kind: newest.kind, id: newest.id}
			if err := r.sort(&r.bySeq, seqKey(v.seq, role), found.pack()); err != nil {
				return err
			}
		} else if newest.kind == stixMissing || v.second > newest.second || v.second == newest.second && v.nano > newest.nano {
			newest = v
		}
	}
	defer r.byID.Close()
	return finish()
}

// associate reports the objects that are left out, and associates the others.
func (r *stixReader) associate() error {
	var self, source, target stixVersion
	seq, missing := int64(0), false
	finish := func() error {
		rule := "refers to objects that the feed does not have"
		if self.kind == stixRelationship {
			rule = "relates objects that the feed does not have"
			missing = source.kind == stixMissing || target.kind == stixMissing
			if !missing {
				return r.link(&source, &target)
			}
		}
		if !missing {
			return nil
		}
		return r.yield(Entry{}, &LineError{Line: int(self.line), Object: nameable(self.id), Rule: rule, Skipped: true})
	}
	for rec, err := range r.bySeq.Sorted() {
		if err != nil {
			return err
		}
		if n := int64(binary.BigEndian.Uint64(rec.Key)); n != seq {
			if err := finish(); err != nil {
				return err
			}
			seq, missing, self = n, false, stixVersion{}
		}
		v := unpack(rec.Value)
		switch rec.Key[8] {
		case roleSelf:
			self = v
			err = r.start(&v)
		case roleSource:
			source = v
		case roleTarget:
			target = v
		case roleContent:
			if self.kind == stixReport {
				missing = missing || v.kind == stixMissing
				err = r.link(&self, &v)
			}
		}
		if err != nil {
			return err
		}
	}
	defer r.bySeq.Close()
	return finish()
}

// start reports an object that is left out, or adds one that becomes entries to the results.
func (r *stixReader) start(v *stixVersion) error {
	switch v.kind {
	case stixLeftOut:
		e := &LineError{}
		if _, err := r.load(v, e); err != nil {
			return err
		}
		return r.yield(Entry{}, refused(int(v.line), nameable(v.id), e))
	case stixIndicator, stixGroup, stixReport:
		return r.sort(&r.results, resultKey(v, 0), v.pack())
	}
	return nil
}

// load reads the record of an object, and returns its size.
func (r *stixReader) load(v *stixVersion, into any) (size int, err error) {
	record, err := r.records.At(v.record)
	if err != nil {
		return 0, err
	}
	return len(record), json.Unmarshal(record, into)
}

// link associates two objects. Indicators refer to their groups, never the reverse.
func (r *stixReader) link(a, b *stixVersion) error {
	if b.kind == stixIndicator {
		a, b = b, a
	}
	if a.kind != stixIndicator && !a.kind.isGroup() || !b.kind.isGroup() || a.seq == b.seq {
		return nil
	}
	return r.sort(&r.results, resultKey(a, b.seq), []byte(b.id))
}

// entries yields the groups, and then the indicators.
func (r *stixReader) entries() error {
	var object stixVersion
	var groups []string
	var last []byte
	tooMany := false
	finish := func() error {
		if object.kind == stixMissing {
			return nil
		}
		if err := r.entry(&object, groups); err != nil || !tooMany {
			return err
		}
		return r.yield(Entry{}, &LineError{
			Line: int(object.line), Object: nameable(object.id),
			Rule: fmt.Sprintf("is associated with more than %d groups; the others are left out", maxAssociations),
		})
	}
	for rec, err := range r.results.Sorted() {
		if err != nil {
			return err
		}
		switch {
		case binary.BigEndian.Uint64(rec.Key[9:]) == 0:
			if err := finish(); err != nil {
				return err
			}
			object, groups, tooMany = unpack(rec.Value), nil, false
		case bytes.Equal(rec.Key, last): // associated twice
		case len(groups) == maxAssociations:
			tooMany = true
		default:
			groups = append(groups, r.xid("stix", string(rec.Value)))
		}
		last = append(last[:0], rec.Key...)
	}
	return finish()
}

// entry yields the entries of an object.
func (r *stixReader) entry(v *stixVersion, groups []string) error {
	var o stixObject
	read, err := r.load(v, &o)
	if err != nil {
		return err
	}
	yield := func(item threatconnect.BatchItem, err error) error {
		if err != nil {
			return r.yield(Entry{}, refused(int(v.line), nameable(o.ID), err))
		}
		return r.yield(Entry{Line: int(v.line), Object: o.ID, Item: item}, nil)
	}
	if v.kind == stixIndicator {
		read += len(groups) * len(`"",`+o.ID) // each group is from a reference to the object
		return r.indicators(&o, groups, maxGrowth*read, yield)
	}
	return yield(r.group(&o, groups))
}

// nameable returns an ID that is safe to show, or "" for text that is not a STIX ID.
func nameable(id string) string {
	typ, uuid, ok := strings.Cut(id, "--")
	if !ok || len(uuid) != 36 || len(typ) > 50 || strings.Trim(typ, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
		strings.Trim(uuid, "abcdef0123456789-") != "" {
		return ""
	}
	return id
}
