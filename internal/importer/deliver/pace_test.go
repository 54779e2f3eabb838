package deliver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// run polls jobs of given durations, one after another. It returns the longest delay and the most
// polls of a job.
func (p *Pace) run(jobs ...time.Duration) (delay time.Duration, most int) {
	const bytes = 1000
	for _, takes := range jobs {
		next := pollDelays(p.expect(bytes))
		running, now := time.Duration(0), next()
		looks := 1
		for ; now < takes; looks++ {
			running = now
			now += next()
		}
		p.learn(bytes, running, now)
		delay, most = max(delay, now-takes), max(most, looks)
	}
	return delay, most
}

func TestPace(t *testing.T) {
	t.Parallel()
	const s = time.Second
	for name, test := range map[string]struct {
		before, jobs []time.Duration
		delay        time.Duration
		looks        int
	}{
		"first job of 1 s":      {before: nil, jobs: []time.Duration{s}, delay: s, looks: 4},
		"first job of 60 s":     {before: nil, jobs: []time.Duration{60 * s}, delay: 20 * s, looks: 15},
		"equal jobs of 0.1 s":   {before: []time.Duration{s / 10}, jobs: []time.Duration{s / 10, s / 10, s / 10}, delay: s / 10, looks: 2},
		"equal jobs of 2 s":     {before: []time.Duration{2 * s, 2 * s}, jobs: []time.Duration{2 * s, 2 * s}, delay: s / 2, looks: 6},
		"equal jobs of 60 s":    {before: []time.Duration{60 * s, 60 * s, 60 * s}, jobs: []time.Duration{60 * s, 60 * s}, delay: 10 * s, looks: 9},
		"longer than before":    {before: []time.Duration{2 * s, 2 * s}, jobs: []time.Duration{60 * s}, delay: 20 * s, looks: 24},
		"shorter than before":   {before: []time.Duration{60 * s, 60 * s}, jobs: []time.Duration{2 * s}, delay: 18 * s, looks: 1},
		"after a job of 2 h":    {before: []time.Duration{2 * time.Hour}, jobs: []time.Duration{2 * s}, delay: 18 * s, looks: 1},
		"a job of 2 h":          {before: []time.Duration{2 * s}, jobs: []time.Duration{2 * time.Hour}, delay: 20 * s, looks: 390},
		"shorter and shorter":   {before: []time.Duration{16 * s}, jobs: []time.Duration{8 * s, 4 * s, 2 * s, s}, delay: 5 * s, looks: 1},
		"a second job of 2 h":   {before: []time.Duration{2 * time.Hour}, jobs: []time.Duration{2 * time.Hour}, delay: 20 * s, looks: 370},
		"varying between 1 / 2": {before: []time.Duration{s, 2 * s}, jobs: []time.Duration{s, 2 * s, s, 2 * s, s, 2 * s}, delay: 6 * s / 10, looks: 12},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p Pace
			p.run(test.before...)
			delay, most := p.run(test.jobs...)
			assert.LessOrEqual(t, delay, test.delay)
			assert.LessOrEqual(t, most, test.looks)
		})
	}
}

func TestPollDelays(t *testing.T) {
	t.Parallel()
	for expected, want := range map[time.Duration][]float64{
		0:                      {0, 0.25, 0.375, 0.5625},
		49 * time.Millisecond:  {0, 0.05, 0.065, 0.0845},
		50 * time.Millisecond:  {0.05, 0.05, 0.065, 0.0845},
		100 * time.Millisecond: {0.075, 0.05, 0.065, 0.0845},
		20 * time.Second:       {15, 1, 1.3, 1.69},
		time.Minute:            {20, 20, 5, 3, 3.9},
		time.Hour:              {20, 20, 20},
	} {
		next := pollDelays(expected)
		for i := range want {
			assert.InDelta(t, want[i], next().Seconds(), 1e-6, "wait %d if %s are expected", i, expected)
		}
	}
}

func TestPaceScalesWithSize(t *testing.T) {
	t.Parallel()
	var p Pace
	assert.Zero(t, p.expect(1000))
	p.learn(1000, 9*time.Second, 11*time.Second)
	assert.InDelta(t, 10, p.expect(1000).Seconds(), 0.001, "the mean of the bounds")
	assert.InDelta(t, 5, p.expect(500).Seconds(), 0.001)
	p.learn(500, 5*time.Second, 7*time.Second) // expected 5, took 6
	assert.InDelta(t, 10.5, p.expect(1000).Seconds(), 0.001, "durations vary")
	p.learn(1000, 20*time.Second, 24*time.Second)
	assert.InDelta(t, 22, p.expect(1000).Seconds(), 0.001, "more than twice as long")
	p.learn(1000, 9*time.Second, 11*time.Second)
	assert.InDelta(t, 10, p.expect(1000).Seconds(), 0.001, "less than half as long")
	p.learn(1000, 6*time.Second, 8*time.Second)
	assert.InDelta(t, 9.25, p.expect(1000).Seconds(), 0.001, "more than half as long")
	p.learn(1000, 0, 8*time.Second)
	assert.InDelta(t, 6, p.expect(1000).Seconds(), 0.001, "done at the first poll")
	p = Pace{}
	p.learn(0, 0, 4*time.Second)
	assert.InDelta(t, 3, p.expect(1).Seconds(), 0.001, "an empty file counts as a byte")
	assert.InDelta(t, 3, p.expect(0).Seconds(), 0.001)
}
