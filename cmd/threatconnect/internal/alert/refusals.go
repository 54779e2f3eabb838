package alert

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Limits of the accounts of refused requests.
const (
	maxPeers      = 1024 // that have an account of their own; others share one
	logEvery      = time.Minute
	freeGuesses   = 10               // wrong passwords of a peer that are answered at once
	maxGuessDelay = 10 * time.Second // before the answer to a later one
)

// refusals logs refused requests and delays the answers to wrong passwords, by peer. A peer has at most one
// line in the log per minute, with the number of its requests. After a minute without any, it is forgotten.
type refusals struct {
	log *slog.Logger

	mu     sync.Mutex
	of     map[netip.Prefix]*account
	closed bool
}

// account has the refused requests of a peer.
type account struct {
	unlogged int // requests since the last line
	wrong    int // of these, those with a wrong password
	status   int // of the last one
	guesses  int // wrong passwords since the peer is known
	minute   *time.Timer
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, of: map[netip.Prefix]*account{}}
}

// add counts a refused request and returns the delay of its response. isGuess reports that its password was wrong.
func (r *refusals) add(peer netip.Prefix, status int, isGuess bool) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.of[peer]
	if !known && len(r.of) >= maxPeers {
		peer = netip.Prefix{}
		a, known = r.of[peer]
	}
	if !known {
		a = &account{}
		r.of[peer] = a
	}
	a.unlogged++
	a.status = status
	if isGuess {
		a.wrong++
		a.guesses++
	}
	switch {
	case r.closed:
		r.write(peer, a)
	case !known:
		r.write(peer, a)
		a.minute = time.AfterFunc(logEvery, func() { r.endMinute(peer, a) })
	}
	if !isGuess {
		return 0
	}
	return min(time.Duration(max(a.guesses-freeGuesses, 0))*time.Second, maxGuessDelay)
}

// endMinute writes the requests of the last minute, or forgets the peer if there were none.
func (r *refusals) endMinute(peer netip.Prefix, a *account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
	case a.unlogged == 0:
		delete(r.of, peer)
	default:
		r.write(peer, a)
		a.minute.Reset(logEvery)
	}
}

// write writes a line about the unlogged requests of a peer. It needs the lock.
func (r *refusals) write(peer netip.Prefix, a *account) {
	from := "others"
	if peer.IsSingleIP() {
		from = peer.Addr().String()
	} else if peer.IsValid() {
		from = peer.String()
	}
	r.log.WarnContext(context.Background(), "requests refused", "address", from, "count", a.unlogged, "wrongPasswords", a.wrong, "status", a.status)
	a.unlogged, a.wrong = 0, 0
}

// close writes the pending lines. Later refusals are written at once.
func (r *refusals) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for peer, a := range r.of {
		a.minute.Stop()
		if a.unlogged > 0 {
			r.write(peer, a)
		}
	}
}
