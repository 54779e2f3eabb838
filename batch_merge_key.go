package threatconnect

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/threatconnect-go/threatconnect/internal/canon"
)

// The first byte of a key says what the items with it are.
const (
	keyIndicator   = 'I' // indicators other than files, with one type and value
	keyGroup       = 'G' // groups with one type and xid
	keyAssociation = 'A' // associations of one type between the same two ends
	keyFile        = 'F' // files with the same hashes
)

// mergeKey appends the key of an item that has passed the encoder: what has the same key is the
// same thing. Values of any length make short keys.
func mergeKey(key []byte, item BatchItem) ([]byte, error) {
	switch item := item.(type) {
	case *File:
		v, err := canon.Hashes(item.values())
		if err != nil {
			return nil, err
		}
		h := hashesOf(v)
		return append(append(key, keyFile), h[:]...), nil
	case Indicator:
		def, err := batchDefOf(item)
		if err != nil {
			return nil, err
		}
		v, err := def.canonical(item.values())
		if err != nil {
			return nil, err
		}
		return appendSum(key, keyIndicator, string(def.typ), v[0], v[1], v[2]), nil
	case Group:
		return appendSum(key, keyGroup, string(item.Type()), item.Meta().XID), nil
	case *Association:
		from, err := item.From.name()
		if err != nil {
			return nil, err
		}
		to, err := item.To.name()
		if err != nil {
			return nil, err
		}
		return appendSum(key, keyAssociation, item.Type, min(from, to), max(from, to)), nil
	}
	return nil, errCodec
}

// appendSum appends a kind and a sum of texts, no two lists of which are likely to have the same.
func appendSum(key []byte, kind byte, texts ...string) []byte {
	all := make([]byte, 0, 256)
	for _, s := range texts {
		all = append(binary.AppendUvarint(all, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(all)
	return append(append(key, kind), sum[:]...)
}

// name is what an end of an association is the same by.
func (e *AssociationEnd) name() (string, error) {
	switch {
	case e.ID > 0 && e.Indicator == "":
		return "group id " + strconv.FormatInt(e.ID, 10), nil
	case e.ID > 0:
		return "indicator id " + strconv.FormatInt(e.ID, 10), nil
	case e.Indicator == "":
		return "group xid " + e.GroupXID, nil
	}
	summary, err := summaryOf(e.Indicator, e.Summary)
	return "indicator " + strconv.Quote(string(e.Indicator)) + " " + summary, err
}

// plainType turns a custom indicator of a type that this package knows into one of that type, so
// that it is merged with those. Any other item is returned as it is.
func plainType(item BatchItem) BatchItem {
	c, ok := item.(*CustomIndicator)
	if !ok || c == nil {
		return item
	}
	def := indicatorDefOf(c.TypeName)
	if def == nil {
		return item
	}
	if _, err := def.canonical(c.Values); err != nil {
		return item
	}
	ind := def.new()
	ind.setValues(c.Values)
	*ind.Meta() = c.IndicatorMeta
	return ind
}
