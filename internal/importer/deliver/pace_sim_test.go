package deliver

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// wait simulates polling a job that takes a given time. It returns the time at which the job was seen
// completed and the number of polls.
func wait(p *Pace, bytes int64, takes time.Duration) (seen time.Duration, n int) {
	next := pollDelays(p.expect(bytes))
	running := time.Duration(0)
	for at := next(); ; at += next() {
		n++
		if at >= takes {
			p.learn(bytes, running, at)
			return at, n
		}
		running = at
	}
}

// sequence simulates jobs of similar size, one after another, for a total time. takes returns the
// duration of a job that starts at a given time.
func sequence(random *rand.Rand, total time.Duration, takes func(at time.Duration) time.Duration) (overhead, perJob float64, most int) {
	var p Pace
	var work, spent time.Duration
	jobs, sum := 0, 0
	for spent < total {
		d := takes(spent)
		seen, n := wait(&p, 1<<20+int64(random.IntN(1<<17)), d)
		work, spent = work+d, spent+seen
		jobs, sum, most = jobs+1, sum+n, max(most, n)
	}
	return float64(spent) / float64(work), float64(sum) / float64(jobs), most
}

// TestPollingOverheadIsSmall simulates two hours of jobs. Polling may take at most 12% longer
// than the jobs, with few polls.
func TestPollingOverheadIsSmall(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	seconds := func(s float64) func(time.Duration) float64 { return func(time.Duration) float64 { return s } }
	jumps := func(every time.Duration, low, high float64) func(time.Duration) float64 {
		return func(at time.Duration) float64 {
			if at/every%2 == 1 {
				return high
			}
			return low
		}
	}
	for name, c := range map[string]struct {
		takes  func(at time.Duration) float64 // seconds
		varies float64                        // random variation of takes, as a fraction
		perJob float64                        // most polls per job, on average
	}{
		"half a second":                 {takes: seconds(0.5), varies: 0.2, perJob: 5},
		"a second":                      {takes: seconds(1), varies: 0.2, perJob: 6},
		"three seconds":                 {takes: seconds(3), varies: 0.2, perJob: 6},
		"three seconds, always":         {takes: seconds(3), varies: 0, perJob: 6},
		"three seconds, more or less":   {takes: seconds(3), varies: 0.5, perJob: 7},
		"ten seconds":                   {takes: seconds(10), varies: 0.2, perJob: 6},
		"a minute":                      {takes: seconds(60), varies: 0.2, perJob: 7},
		"a minute, always":              {takes: seconds(60), varies: 0, perJob: 7.5},
		"jumps, twofold":                {takes: jumps(10*minute, 1, 2), varies: 0.2, perJob: 6},
		"jumps, tenfold":                {takes: jumps(10*minute, 1, 10), varies: 0.2, perJob: 6},
		"jumps, from the least to most": {takes: jumps(15*minute, 0.5, 60), varies: 0.2, perJob: 6},
		"jumps, from the most to least": {takes: jumps(15*minute, 60, 0.5), varies: 0.2, perJob: 6},
		"slow changes": {
			takes:  func(at time.Duration) float64 { return 0.5 + 59.5*math.Pow(math.Sin(at.Hours()*2), 2) },
			varies: 0.2,
			perJob: 6,
		},
		"a platform that is slow by day":  {takes: func(at time.Duration) float64 { return math.Pow(60, at.Hours()/2) }, varies: 0.2, perJob: 6},
		"a platform that is getting fast": {takes: func(at time.Duration) float64 { return math.Pow(60, 1-at.Hours()/2) }, varies: 0.2, perJob: 6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 1))
			overhead, perJob, most := sequence(random, 2*time.Hour, func(at time.Duration) time.Duration {
				return time.Duration(c.takes(at) * (1 + c.varies*(2*random.Float64()-1)) * float64(time.Second))
			})
			require.LessOrEqual(t, overhead, 1.12)
			require.LessOrEqual(t, perJob, c.perJob)
			require.LessOrEqual(t, most, 25)
		})
	}
}

// TestPollingBacksOffForLongJobs polls jobs of unexpected durations. They are seen completed
// soon, and the number of polls grows with the logarithm of the time, up to one poll per 20 seconds.
func TestPollingBacksOffForLongJobs(t *testing.T) {
	t.Parallel()
	for _, expected := range []time.Duration{0, time.Second, time.Minute} {
		for _, takes := range []time.Duration{time.Millisecond, time.Second, time.Minute, 10 * time.Minute, 2 * time.Hour} {
			var p Pace
			if expected > 0 {
				p.learn(1000, expected, expected)
			}
			seen, n := wait(&p, 1000, takes)
			require.LessOrEqual(t, n, 25+int(takes/maxDelay), "%v, %v expected", takes, expected)
			late := max(min(takes/2, maxDelay), firstDelay, expected*3/4) // expected*3/4 is the first poll
			require.LessOrEqual(t, seen-takes, late, "%v, %v expected", takes, expected)
			if takes >= time.Second && takes > 2*expected {
				require.InEpsilon(t, takes, p.expect(1000), 0.3, "the next job is expected to take as long")
			}
		}
	}
}
