package threatconnect

import (
	"maps"
	"net/http"
)

// CallOptions change how one call is sent. They are part of every options struct; [Client.With] gives
// them to methods that have none. The zero value changes nothing.
type CallOptions struct {
	// Retry, if not nil, replaces the client's retry policy.
	Retry *RetryPolicy `url:"-"`
	// ActivityLog, if not nil, says whether the platform writes the call to the owner's activity log,
	// as [WithActivityLog] does for all calls.
	ActivityLog *bool `url:"-"`
	// Header holds further headers, which are sent with every attempt. Authorization, Timestamp,
	// User-Agent and the headers of the connection cannot be set.
	Header http.Header `url:"-"`
}

func (o CallOptions) isZero() bool {
	return o.Retry == nil && o.ActivityLog == nil && len(o.Header) == 0
}

func (o CallOptions) check() error {
	if o.Retry != nil {
		if err := o.Retry.check(); err != nil {
			return err
		}
	}
	return checkCallHeader(o.Header)
}

// clone returns a copy of o that shares no memory with it.
func (o CallOptions) clone() CallOptions {
	if o.Retry != nil {
		o.Retry = new(*o.Retry)
	}
	if o.ActivityLog != nil {
		o.ActivityLog = new(*o.ActivityLog)
	}
	o.Header = o.Header.Clone()
	return o
}

// over returns o with the options of defaults where o says nothing. The result shares no memory with o.
func (o CallOptions) over(defaults CallOptions) CallOptions {
	o, merged := o.clone(), defaults
	if o.Retry != nil {
		merged.Retry = new(o.Retry.withDefaults())
	}
	if o.ActivityLog != nil {
		merged.ActivityLog = o.ActivityLog
	}
	if len(o.Header) > 0 {
		merged.Header = merged.Header.Clone()
		if merged.Header == nil {
			merged.Header = make(http.Header, len(o.Header))
		}
		maps.Copy(merged.Header, canonicalHeader(o.Header))
	}
	return merged
}

// canonicalHeader returns a copy of h with canonical names.
func canonicalHeader(h http.Header) http.Header {
	canonical := make(http.Header, len(h))
	for name, values := range h {
		canonical[http.CanonicalHeaderKey(name)] = append([]string(nil), values...)
	}
	return canonical
}

// checkCallHeader checks further headers of a call.
func checkCallHeader(h http.Header) error {
	if err := checkHeader("header", h); err != nil {
		return err
	}
	for _, name := range []string{"Authorization", "Timestamp", "User-Agent"} {
		if headerHas(h, name) {
			return &ValidationError{Field: "header", Rule: "has " + name + ", which the client sets", Fix: "leave it out"}
		}
	}
	return nil
}
