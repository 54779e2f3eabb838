package threatconnect

import (
	"context"
	"net/http"
	"net/url"
	"strings"
)

// Request is a custom request for [Client.Do].
type Request struct {
	// Method is GET, POST, PUT or DELETE.
	Method string
	// Path is the escaped path below the base URL, for example "/v2/owners". Escape values in it with
	// PathSegment.
	Path string
	// Query contains the query parameters. The client does not add the owner.
	Query url.Values
	// Header contains additional headers. Headers that the client or package net/http sets return a
	// *ValidationError: Authorization, Timestamp, User-Agent, Host, Content-Length and other headers
	// about the connection.
	Header http.Header
	// Body is the request body, in JSON unless Header has another Content-Type. Nil means no body.
	Body []byte
}

// Do signs and sends a custom request. Use it for operations without a method in this package. Retries,
// clock correction, timeouts and errors are the same as for other calls. It costs one request if there is
// no retry.
//
// If the status is below 300, Do returns the response. The caller must close its body, whose size is not
// limited. Otherwise Do returns an [*APIError]. The Request of the response does not contain the
// credentials.
func (c *Client) Do(ctx context.Context, r Request) (*http.Response, error) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return nil, &ValidationError{Field: "method", Rule: "must be GET, POST, PUT or DELETE"}
	}
	if !strings.HasPrefix(r.Path, "/") || strings.ContainsAny(r.Path, "?#") {
		return nil, &ValidationError{Field: "path", Rule: "must be an escaped path that begins with / and holds no ? or #", Fix: "escape values with PathSegment and put the query into Query"}
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
		// The caller may log the response, so its request must not contain the credentials.
		resp.Request = r.Request.Clone(r.Request.Context())
		resp.Request.Header.Del("Authorization")
		resp.Request.Header.Del("Timestamp")
		return nil
	})
	return resp, err
}

// checkHeader returns an error for headers that cannot be sent unchanged. Package net/http omits some of
// them without an error.
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

// headerHas reports whether h has a field with the canonical name, in any case.
func headerHas(h http.Header, name string) bool {
	for key := range h {
		if http.CanonicalHeaderKey(key) == name {
			return true
		}
	}
	return false
}

const headerNameChars = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// ownRoute returns the route of a caller's path. Its template contains the version and the collection. Later
// segments may be values.
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
