package threatconnect

import (
	"encoding/json"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// readIndicator reads one indicator of a known type.
func readIndicator(r *wire.Reader, def *indicatorDef) Indicator {
	ind := def.new()
	meta := ind.Meta()
	own, _ := ind.(specific)
	custom, _ := ind.(*CustomIndicator)
	if custom != nil {
		custom.Raw = rawOf(r)
	}
	summary := ""
	for r.Object(); r.NextKey(); {
		key := r.Key()
		switch {
		case def.readValue(ind, key, r):
		case own != nil && own.own(key, r):
		case string(key) == "type":
			if t := r.Text(); custom != nil && custom.TypeName == "" {
				custom.TypeName = IndicatorType(t)
			}
		case string(key) == "summary":
			summary = r.Text()
		case meta.read(key, r):
		default:
			keep(&meta.Extra, key, r)
		}
	}
	if summary != "" && ind.Summary() == "" {
		setSummary(ind, def, summary)
	}
	return ind
}

// mixed is an element of a list of indicators of all types: its type may come after its fields.
type mixed struct {
	IndicatorMeta
	typ     IndicatorType
	summary string
}

// readAnyIndicator reads one element of a list of indicators of all types.
func readAnyIndicator(r *wire.Reader) Indicator {
	raw := r.Raw()
	if raw == nil {
		return &CustomIndicator{}
	}
	var m mixed
	e := wire.NewReader(raw)
	for e.Object(); e.NextKey(); {
		switch key := e.Key(); string(key) {
		case "type":
			m.typ = IndicatorType(e.Text())
		case "summary":
			m.summary = e.Text()
		default:
			if !m.read(key, e) {
				keep(&m.Extra, key, e)
			}
		}
	}
	if err := e.Err(); err != nil {
		r.Fail("want an indicator: " + err.Error())
	}
	def := indicatorDefOf(m.typ)
	if def == nil {
		return &CustomIndicator{TypeName: m.typ, Values: [3]string{m.summary}, Raw: append(json.RawMessage(nil), raw...), IndicatorMeta: m.IndicatorMeta}
	}
	ind := def.new()
	*ind.Meta() = m.IndicatorMeta
	setSummary(ind, def, m.summary)
	m.give(ind, def)
	return ind
}

// give hands the fields that only the type knows over from Extra.
func (m *mixed) give(ind Indicator, def *indicatorDef) {
	if len(m.Extra) == 0 {
		return
	}
	own, _ := ind.(specific)
	for name, raw := range m.Extra {
		e := wire.NewReader(raw)
		if key := []byte(name); def.readValue(ind, key, e) || own != nil && own.own(key, e) {
			if e.Err() == nil {
				delete(m.Extra, name)
			}
		}
	}
	if len(m.Extra) == 0 {
		ind.Meta().Extra = nil
	}
}

// setSummary sets the values that a summary stands for. One that cannot be taken apart is kept
// whole, so that nothing is lost.
func setSummary(ind Indicator, def *indicatorDef, summary string) {
	v := [3]string{summary}
	if def.split != nil {
		split, err := def.split(summary)
		if err == nil {
			v = split
		}
	}
	ind.setValues(v)
}

// rawOf returns a copy of the value that r is at, without taking it.
func rawOf(r *wire.Reader) json.RawMessage {
	peek := *r
	raw := peek.Raw()
	return append(json.RawMessage(nil), raw...)
}
