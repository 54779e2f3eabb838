package deliver

import (
	"sync"
	"time"
)

// Pace estimates the duration of jobs. It learns from the last poll that saw a job running and the first that
// saw it completed, so that a late poll does not delay later ones.
type Pace struct {
	mu      sync.Mutex
	perByte float64 // seconds per byte; 0 before the first job
}

// expect returns the expected duration of a job with a file of some bytes, or 0 if unknown.
func (p *Pace) expect(bytes int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.perByte * float64(max(bytes, 1)) * float64(time.Second))
}

// learn adds the observation of a job that was last seen running, and first seen completed, after these
// durations. running is 0 if the first poll saw it completed.
func (p *Pace) learn(bytes int64, running, done time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.perByte = estimate(p.perByte*float64(max(bytes, 1)), running.Seconds(), done.Seconds()) / float64(max(bytes, 1))
}

// estimate returns the new estimate, given the previous one and a job that ended between running and done.
// All are in seconds.
func estimate(expected, running, done float64) float64 {
	if running == 0 { // it ended some time before the first poll
		return 0.75 * done
	}
	took := (running + done) / 2
	if took < expected/2 || took > expected*2 {
		return took
	}
	return 0.75*expected + 0.25*took // durations vary
}

// Bounds of the delays between polls.
const (
	firstDelay = 250 * time.Millisecond // without an estimate
	minDelay   = 50 * time.Millisecond
	maxDelay   = 20 * time.Second
)

// pollDelays returns a function that returns the delay before each poll of a job with an expected duration.
// The first poll is at 3/4 of the duration. The following delays start at 1/20 of it and grow by 30 % each.
// Without an estimate, or if jobs complete at once, the first poll is immediate; without an estimate the
// delays grow by half.
func pollDelays(expected time.Duration) func() time.Duration {
	first, step, percent := expected-expected/4, expected/20, 130
	immediate := expected < minDelay
	if expected == 0 {
		step, percent = firstDelay, 150
	}
	if immediate {
		first = 0
	}
	return func() time.Duration {
		if immediate {
			immediate = false
			return 0
		}
		if first > 0 { // at most maxDelay at a time, because the job may be much shorter than expected
			wait := min(max(first, minDelay), maxDelay)
			first -= wait
			return wait
		}
		wait := min(max(step, minDelay), maxDelay)
		step = wait * time.Duration(percent) / 100
		return wait
	}
}
