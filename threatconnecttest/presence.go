package threatconnecttest

import "crypto/sha256"

// WithoutContents keeps the indicators of batch jobs only as 16 bytes each: the server checks and
// counts them and [Server.Has] finds them, but nothing reads them back. It is for tests that import
// millions of items and measure the memory of their own process. Groups are kept whole.
func WithoutContents() Option { return func(s *Server) { s.presenceOnly = true } }

// presence stands for an indicator on a server without contents.
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

// standIn returns an indicator that a batch item is written to on a server without contents. Like a
// deleted one, it is in no list and takes no links.
func (o *owner) standIn(t *indicatorType, value string) *indicator {
	return &indicator{owner: o, typ: t, value: value, flags: flagRemoved}
}
