package threatconnect

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Request is a request of your own for [Client.Do].
type Request struct {
	// Method is GET, POST, PUT or DELETE.
	Method string
	// Path is the escaped path below the base URL, as in "/v2/owners". Escape values in it with
	// [PathSegment].
	Path string
	// Query holds the query parameters; the owner is not added.
	Query url.Values
	// Header holds further headers. Those that the client or package net/http sets are refused:
	// Authorization, Timestamp, User-Agent, Host, Content-Length and other fields about the connection.
	Header http.Header
	// Body is sent as JSON unless Header says otherwise. Nil sends none.
	Body []byte
}

// Do signs and sends a request that this package has no method for, under the same rules as every
// other call: retries, clock correction, limits, errors. It costs one request when nothing goes
// wrong.
//
// The answer of a success comes with its body open and uncapped; the caller closes it. An answer
// of 300 or more is an [*APIError]. The response's Request lacks the credentials.
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return nil, &ValidationError{Field: "method", Rule: "must be GET, POST, PUT or DELETE"}
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") {
		return nil, &ValidationError{Field: "path", Rule: "must be an escaped path that begins with / and holds no ? or #", Fix: "escape values with PathSegment and give the query in Query"}
	}
	for seg := range strings.SplitSeq(r.Path, "/") {
		if isStep(seg) {
			return nil, &ValidationError{Field: "path", Rule: "has a . or .. segment, which a server can take for a step in the path", Fix: "find the item in a list, or write it with a batch import"}
		}
	}
	if err := checkCallHeader(r.Header); err != nil {
		return nil, err
	}
	call := &call{
		method:   r.Method,
		route:    ownRoute(r.Path),
		query:    r.Query,
		header:   http.Header{},
		keepBody: true,
	}
	for name, values := range r.Header {
		call.header[http.CanonicalHeaderKey(name)] = values
	}
	if r.Body != nil {
		call.body = jsonBody(r.Body)
		if t := call.header.Get("Content-Type"); t != "" {
			call.body.contentType = t
		}
	}
	var resp *http.Response
	err := c.do(ctx, call, func(r *http.Response) error {
		resp = r
		// The caller may log the response: its request must not show the credentials.
		resp.Request = r.Request.Clone(r.Request.Context())
		resp.Request.Header.Del("Authorization")
		resp.Request.Header.Del("Timestamp")
		return nil
	})
	return resp, err
}

// checkHeader refuses a header that cannot be sent as it is. Package net/http leaves out some fields
// without a word.
func checkHeader(field string, h http.Header) error {
	seen := make(map[string]bool, len(h))
	for name, values := range h {
		if strings.Trim(name, headerNameChars) != "" || name == "" {
			return &ValidationError{Field: field + " name", Rule: "must be letters, digits and hyphens"}
		}
		canonical := http.CanonicalHeaderKey(name)
		switch canonical {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
			return &ValidationError{Field: field, Rule: "has " + canonical + ", which cannot be set", Fix: "leave it out"}
		}
		if seen[canonical] {
			return &ValidationError{Field: field, Rule: "has the same name twice in upper and lower case", Fix: "put both values under one name"}
		}
		seen[canonical] = true
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return &ValidationError{Field: field, Rule: "holds a control character"}
			}
		}
	}
	return nil
}

// headerHas reports whether h has a field of a name, in whatever case.
func headerHas(h http.Header, name string) bool {
	for key := range h {
		if http.CanonicalHeaderKey(key) == name {
			return true
		}
	}
	return false
}

const headerNameChars = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ownRoute is the route of a path that came from outside. Its template shows the version and the
// collection; what comes after them may be a value.
func ownRoute(path string) route {
	r := route{path: path}
	segs := strings.Split(path, "/")
	for i, s := range segs {
		if i > 2 || strings.Trim(s, headerNameChars) != "" {
			segs[i] = "{}"
		}
	}
	r.template = strings.Join(segs, "/")
	return r
}
