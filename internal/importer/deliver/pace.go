package deliver

import (
	"sync"
	"time"
)

// Pace estimates how long jobs take. It learns from when jobs were seen running and done, and not from when
// somebody looked, so that a late look does not delay the next ones.
type Pace struct {
	mu      sync.Mutex
	perByte float64 // seconds; 0 before the first job
}

// expect returns how long a job with a file of some bytes takes, or 0 if that is not known.
func (p *Pace) expect(bytes int64) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.perByte * float64(max(bytes, 1)) * float64(time.Second))
}

// learn takes over that a job was last seen running and first seen done after some time. running is 0 if it was
// done at the first look.
func (p *Pace) learn(bytes int64, running, done time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.perByte = estimate(p.perByte*float64(max(bytes, 1)), running.Seconds(), done.Seconds()) / float64(max(bytes, 1))
}

// estimate returns how long a job is expected to take after one that was expected to take some time and ended
// between two others. All are in seconds.
func estimate(expected, running, done float64) float64 {
	if running == 0 { // it ended some time before the first look
		return 0.75 * done
	}
	took := (running + done) / 2
	if took < expected/2 || took > expected*2 {
		return took
	}
	return 0.75*expected + 0.25*took // durations vary
}

// Waits between looks at a job.
const (
	firstStep = 250 * time.Millisecond // if nothing is known
	shortLook = 50 * time.Millisecond
	longLook  = 20 * time.Second
)

// looks returns the waits before each look at a job that is expected to take some time: the first look is at 3/4 of
// it, the next ones in steps of 1/20 of it that grow by 30 % each. If nothing is known, or jobs are done at
// once, the first look is immediate and the steps grow by half.
func looks(expected time.Duration) func() time.Duration {
	first, step, percent := expected-expected/4, expected/20, 130
	immediate := expected < shortLook
	if expected == 0 {
		step, percent = firstStep, 150
	}
	if immediate {
		first = 0
	}
	return func() time.Duration {
		if immediate {
			immediate = false
			return 0
		}
		if first > 0 { // in waits of at most longLook, because the job may be much shorter than expected
			wait := min(max(first, shortLook), longLook)
			first -= wait
			return wait
		}
		wait := min(max(step, shortLook), longLook)
		step = wait * time.Duration(percent) / 100
		return wait
	}
}
