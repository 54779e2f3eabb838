package threatconnect

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// typeTable holds the definitions of the instance's own indicator types. A client and its copies
// share one. It is filled when a type is needed that this package does not know, because most
// programs never meet one.
type typeTable struct {
	turn   chan struct{} // held by the call that reads the types
	loaded atomic.Pointer[typeSnapshot]
}

// typeSnapshot is the types of the instance at one moment.
type typeSnapshot struct {
	defs map[IndicatorType]*indicatorDef
	at   time.Time
}

// typesFresh is how long a type that the instance does not have is not asked for again.
const typesFresh = time.Minute

func newTypeTable() typeTable { return typeTable{turn: make(chan struct{}, 1)} }

// find returns the definition of a type, and whether a missing one is known to be missing.
func (t *typeTable) find(typ IndicatorType, now time.Time) (def *indicatorDef, certain bool) {
	s := t.loaded.Load()
	if s == nil {
		return nil, false
	}
	def = s.defs[typ]
	age := now.Sub(s.at)
	return def, def != nil || 0 <= age && age < typesFresh
}

// definition returns what a type is sent and read by. For a type that is the instance's own, it reads
// the types of the instance, once.
func (c *Client) definition(ctx context.Context, typ IndicatorType) (*indicatorDef, error) {
	if def := indicatorDefOf(typ); def != nil && def.branch != "" {
		return def, nil
	}
	if typ == "" {
		return nil, &ValidationError{Field: "indicator type", Rule: "is empty"}
	}
	if err := c.usable(); err != nil {
		return nil, err
	}
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	def, certain := c.types.find(typ, c.cfg.now())
	if !certain {
		select {
		case c.types.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, contextErr(ctx)
		}
		defer func() { <-c.types.turn }()
		if def, certain = c.types.find(typ, c.cfg.now()); !certain { // nobody read them while this call waited
			if err := c.loadTypes(ctx); err != nil {
				return nil, fmt.Errorf("indicator type %s: %w", quoteForeign(string(typ)), err)
			}
			def, _ = c.types.find(typ, c.cfg.now())
		}
	}
	if def == nil {
		return nil, &ValidationError{Field: "indicator type", Rule: "is " + quoteForeign(string(typ)) + ", which this instance does not have", Fix: "list its types with client.Types.Indicators"}
	}
	return def, nil
}

// loadTypes reads the types of the instance.
func (c *Client) loadTypes(ctx context.Context) error {
	s := &typeSnapshot{defs: make(map[IndicatorType]*indicatorDef), at: c.cfg.now()}
	for info, err := range (TypesService{service{c}}).Indicators(ctx, nil) {
		if err != nil {
			return err
		}
		known := indicatorDefOf(info.Name)
		if info.Branch == "" || len(info.Labels()) == 0 || known != nil && known.branch != "" {
			continue
		}
		def := customDef(&info)
		if known != nil { // a type that the package knows from batch files only
			learned := *known
			learned.branch, learned.entity, learned.keys = def.branch, def.entity, def.keys
			def = &learned
		}
		s.defs[info.Name] = def
	}
	c.types.loaded.Store(s)
	return nil
}
