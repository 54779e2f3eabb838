package threatconnecttest

import "crypto/sha256"

// WithoutContents stores each indicator of batch jobs in 16 bytes. The server validates and counts
// indicators, and [Server.Has] finds them, but they cannot be read. Groups are stored completely.
// Use it for tests that import millions of items and measure the memory of their own process.
func WithoutContents() Option { return func(s *Server) { s.presenceOnly = true } }

// presence returns the fingerprint of an indicator on a server without contents.
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

// standIn returns a temporary indicator for a batch item on a server without contents. Like a
// deleted indicator, it is in no list and takes no links.
func (o *owner) standIn(t *indicatorType, value string) *indicator {
	return &indicator{owner: o, typ: t, value: value, flags: flagRemoved}
}
