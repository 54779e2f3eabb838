package threatconnecttest

import "crypto/sha256"

// WithoutContents keeps the indicators of batch jobs only as 16 bytes each: what came in is checked,
// counted and can be asked for with [Server.Has], but not read back. It is for imports of millions of
// items in the process whose memory is measured. Groups are kept whole.
func WithoutContents() Option { return func(s *Server) { s.presenceOnly = true } }

// presence is what is left of an indicator on a server without contents.
func presence(t *indicatorType, value string) [16]byte {
	h := sha256.Sum256([]byte(t.Name + "\x00" + value))
	return [16]byte(h[:16])
}

func (o *owner) hasPresence(t *indicatorType, value string) bool {
	if len(o.present) == 0 {
		return false
	}
	_, there := o.present[presence(t, value)]
	return there
}

// standIn is what a batch item is written to on a server without contents. Like a deleted indicator,
// it is in no list and takes no links.
func (o *owner) standIn(t *indicatorType, value string) *indicator {
	return &indicator{owner: o, typ: t, value: value, flags: flagRemoved}
}
