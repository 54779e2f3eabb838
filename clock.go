package threatconnect

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

const (
	mostOffset  = 24 * time.Hour  // a Date header further off than this is not believed
	leastOffset = 2 * time.Minute // an offset below this is well inside the platform's five minutes
)

// now is the platform's time as far as it is known.
func (c *Client) now() time.Time { return c.cfg.now().Add(time.Duration(c.offset.Load())) }

// followClock keeps the offset true once there is one, and drops it when our clock is right again. A
// token has no timestamp that could be refused, so with a token the first answer sets the offset.
func (c *Client) followClock(resp *http.Response) {
	_, isToken := c.cfg.credentials.(*tokenCredentials)
	if c.offset.Load() == 0 && !(isToken && c.cfg.correctClock) {
		return
	}
	if off, ok := c.serverOffset(resp); ok && off.Abs() <= mostOffset {
		if off.Abs() < leastOffset {
			off = 0
		}
		c.offset.Store(int64(off))
	}
}

// correctClock reacts to a refused timestamp: it measures the offset and reports whether signing
// once more with it makes sense. The error learns the offset either way.
func (c *Client) correctClock(ctx context.Context, call *call, resp *http.Response, e *APIError) bool {
	off, ok := c.serverOffset(resp)
	switch {
	case !ok:
		e.Hint = "the answer carries no usable Date, so the offset is not known: set this machine's clock"
		return false
	case off.Abs() > mostOffset:
		e.Hint = "this machine's clock is more than a day off: set it"
		return false
	}
	way := "behind"
	if off < 0 {
		way = "ahead of"
	}
	e.Hint = fmt.Sprintf("this machine's clock is about %s %s the platform's: set it", off.Abs().Round(time.Second), way)
	signed, err := strconv.ParseInt(resp.Request.Header.Get("Timestamp"), 10, 64)
	if !c.cfg.correctClock || err != nil {
		return false
	}
	if c.now().Sub(time.Unix(signed, 0)).Abs() < leastOffset && off.Abs() < leastOffset {
		return false // what was refused was signed with the platform's own time: another one would be no better
	}
	if off.Abs() < leastOffset {
		off = 0
	}
	before := time.Duration(c.offset.Swap(int64(off)))
	if c.cfg.logger != nil && (off-before).Abs() >= leastOffset && off != 0 {
		c.cfg.logger.LogAttrs(ctx, slog.LevelWarn, "threatconnect: the clock is wrong, requests are signed with the platform's time",
			slog.Duration("offset", off.Round(time.Second)), slog.String("route", call.route.template))
	}
	return true
}
