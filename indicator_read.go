package threatconnect

import (
	"encoding/json"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// readIndicator reads one indicator of a known type.
func readIndicator(r *wire.Reader, def *indicatorDef) Indicator {
	return new(interner).indicator(r, def)
}

// readAnyIndicator reads one element of a list of indicators of all types.
func readAnyIndicator(r *wire.Reader) Indicator { return new(interner).anyIndicator(r) }

// interner holds the texts that repeat from one element of a list to the next, so that they are
// kept in memory once.
type interner struct{ owner, typ string }

// ownerName reads the name of an owner.
func (l *interner) ownerName(r *wire.Reader) string {
	l.owner = r.TextIntern(l.owner)
	return l.owner
}

// typeName reads the name of a type.
func (l *interner) typeName(r *wire.Reader) string {
	l.typ = r.TextIntern(l.typ)
	return l.typ
}

func (l *interner) indicator(r *wire.Reader, def *indicatorDef) Indicator {
	ind := def.new()
	meta := ind.Meta()
	own, _ := ind.(specific)
	custom, _ := ind.(*CustomIndicator)
	if custom != nil {
		custom.Raw = rawOf(r)
	}
	summary := ""
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		key := r.Key()
		switch {
		case def.readValue(ind, key, r):
		case own != nil && own.own(key, r):
		case string(key) == "ownerName":
			meta.Owner.Name = l.ownerName(r)
		case string(key) == "type":
			if t := l.typeName(r); custom != nil && custom.TypeName == "" {
				custom.TypeName = IndicatorType(t)
			}
		case string(key) == "summary":
			summary = r.Text()
		case meta.read(key, r):
		default:
			keepExtra(&meta.Extra, r)
		}
	}
	keepMisfits(&meta.Extra, r.Kept(before))
	if summary != "" && ind.Summary() == "" {
		setSummary(ind, def, summary)
	}
	return ind
}

// anyIndicator reads an element whose type may come after its fields: those that only one type has
// wait in Extra until it is known.
func (l *interner) anyIndicator(r *wire.Reader) Indicator {
	start := *r
	start.Charge(r)
	var m IndicatorMeta
	var typ IndicatorType
	summary := ""
	before := r.Keep()
	for r.Object(); r.NextKey(); {
		switch key := r.Key(); string(key) {
		case "type":
			typ = IndicatorType(l.typeName(r))
		case "summary":
			summary = r.Text()
		case "ownerName":
			m.Owner.Name = l.ownerName(r)
		default:
			if !m.read(key, r) {
				keepExtra(&m.Extra, r)
			}
		}
	}
	keepMisfits(&m.Extra, r.Kept(before))
	def := indicatorDefOf(typ)
	if def == nil {
		return &CustomIndicator{TypeName: typ, Values: [3]string{summary}, Raw: rawOf(&start), IndicatorMeta: m}
	}
	ind := def.new()
	*ind.Meta() = m
	setSummary(ind, def, summary)
	giveOwn(ind, def, r)
	return ind
}

// giveOwn hands the fields that only the type knows over from Extra.
func giveOwn(ind Indicator, def *indicatorDef, r *wire.Reader) {
	meta := ind.Meta()
	if len(meta.Extra) == 0 {
		return
	}
	own, _ := ind.(specific)
	e := new(wire.Reader)
	e.Charge(r)
	for name, raw := range meta.Extra {
		e.Reset(raw)
		if key := []byte(name); def.readValue(ind, key, e) || own != nil && own.own(key, e) {
			if e.Err() == nil {
				delete(meta.Extra, name)
			}
		}
	}
	if len(meta.Extra) == 0 {
		meta.Extra = nil
	}
}

// setSummary sets the values that a summary stands for.
func setSummary(ind Indicator, def *indicatorDef, summary string) {
	ind.setValues(def.valuesOf(summary))
}

// valuesOf returns the values that a summary of the platform stands for. A summary that cannot be
// split is kept whole, so that nothing is lost.
func (d *indicatorDef) valuesOf(summary string) [3]string {
	if d.split != nil {
		if v, err := d.split(summary); err == nil {
			return v
		}
	}
	return [3]string{summary}
}

// rawOf returns a copy of the value that r is at, without taking it.
func rawOf(r *wire.Reader) json.RawMessage {
	peek := *r
	peek.Charge(r)
	return peek.RawCopy()
}

// inner returns a reader of the value that r is at, without taking it. What it spends, r spends.
func inner(r *wire.Reader) *wire.Reader {
	peek := *r
	e := wire.NewReader(peek.Raw())
	e.Charge(r)
	return e
}
