package sandbox

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// duration is a time in JSON: "6m", "-1h30m".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a time: give a number with a unit, as in 2s, 6m or -1h", text)
	}
	*d = duration(v)
	return nil
}

// clock is the body of the calls about the clock.
type clock struct {
	Offset *duration `json:"offset"`
}

func (c *control) getClock(*http.Request) (any, error) {
	offset := duration(c.srv.ClockOffset())
	return clock{&offset}, nil
}

func (c *control) putClock(r *http.Request) (any, error) {
	in, err := body[clock](r)
	if err != nil {
		return nil, err
	}
	if in.Offset == nil {
		return nil, fmt.Errorf(`offset is missing: send {"offset": "6m"}`)
	}
	c.srv.SetClockOffset(time.Duration(*in.Offset))
	return in, nil
}

// tuning contains the settings of a running server, which the server itself does not return.
type tuning struct {
	BatchDuration *duration  `json:"batchDuration,omitempty"`
	RateLimit     *rateLimit `json:"rateLimit,omitempty"`
}

// rateLimit is a number of requests per time. 0 requests mean no limit.
type rateLimit struct {
	Requests int      `json:"requests"`
	Per      duration `json:"per"`
}

// settings keeps the settings and the snapshots.
type settings struct {
	mu            sync.Mutex
	batchDuration duration
	rate          rateLimit
	kept          []snapshot
	lastSnapshot  int
}

func (s *settings) tuning() tuning {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, rate := s.batchDuration, s.rate
	return tuning{&batch, &rate}
}

func (s *settings) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchDuration, s.rate = 0, rateLimit{Per: duration(time.Second)}
}

func (c *control) getSettings(*http.Request) (any, error) { return c.tuning(), nil }

func (c *control) putSettings(r *http.Request) (any, error) {
	in, err := body[tuning](r)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if d := in.BatchDuration; d != nil {
		if *d < 0 {
			err = fmt.Errorf("batchDuration: a job cannot take less than 0s")
		} else {
			c.batchDuration = *d
			c.srv.SetBatchDuration(time.Duration(*d))
		}
	}
	if l := in.RateLimit; l != nil && err == nil {
		if l.Requests < 0 || l.Per <= 0 {
			err = fmt.Errorf(`rateLimit: requests must be at least 0 and per longer than 0s, as in {"requests": 10, "per": "1s"}`)
		} else {
			c.rate = *l
			c.srv.SetRateLimit(l.Requests, time.Duration(l.Per))
		}
	}
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return c.tuning(), nil
}

// state is the state of the settings in events.
type state struct {
	Oddities []string `json:"oddities"`
	Clock    duration `json:"clock"`
	tuning
}

func (c *control) state() state {
	return state{names(c.srv.Oddities()), duration(c.srv.ClockOffset()), c.tuning()}
}

func (c *control) postExpireToken(*http.Request) (any, error) {
	c.srv.ExpireToken()
	return empty{}, nil
}
