package threatconnect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// DataStoreService sends single requests to the DataStore, an Elasticsearch in which apps of the platform store data of
// their own. Most programs use [DataStoreOf] instead, which encodes and decodes values.
//
// The DataStore accepts API tokens only. For a client with [HMAC] credentials, Do returns a [*ValidationError] before
// anything is sent. The service is safe for concurrent use.
type DataStoreService struct{ service }

// DataStoreDomain is the scope in which a data type of the DataStore is shared.
type DataStoreDomain string

// The domains of the DataStore.
const (
	DataStoreLocal        DataStoreDomain = "local"        // the app only
	DataStoreOrganization DataStoreDomain = "organization" // all apps of the organization
	DataStoreSystem       DataStoreDomain = "system"       // all apps of the instance
)

// DataStoreRequest is one request to the DataStore. Its HTTP method is always POST; a header contains Method.
type DataStoreRequest struct {
	Method string // GET, POST, PUT or DELETE
	Domain DataStoreDomain
	Type   string // the data type; must not begin with _
	// ID is the ID of one record. If it is empty, the request is about the data type: POST creates a record with an
	// ID that the DataStore chooses, and GET lists records. "_search" and "_mappings" are names of Elasticsearch.
	ID   string
	Body []byte // JSON; nil for none
}

func (r *DataStoreRequest) check() error {
	bad := func(field, rule string) error { return &ValidationError{Field: field, Rule: rule} }
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return bad("DataStore method", "must be GET, POST, PUT or DELETE")
	}
	switch r.Domain {
	case DataStoreLocal, DataStoreOrganization, DataStoreSystem:
	default:
		return bad("DataStore domain", "must be local, organization or system")
	}
	switch {
	case r.Type == "":
		return bad("DataStore type", "is empty")
	case strings.HasPrefix(r.Type, "_"):
		return bad("DataStore type", "begins with an underscore, as only Elasticsearch's own names do")
	}
	return nil
}

// Do sends one request and returns the unchanged body of Elasticsearch's response. Some responses are not JSON despite
// their content type. If the record or the data type does not exist, the error matches [ErrNotFound].
//
// Do costs one request. A POST without an ID creates a record every time and is not retried after an unknown outcome;
// all other requests are idempotent and are retried.
//
//	API: POST /v2/exchange/db/{domain}/{dataType}/{rid}
//	API: POST /v2/exchange/db/{domain}/{dataType}/
//	API: POST /v2/exchange/db/{domain}/{dataType}/_search
//	API: POST /v2/exchange/db/{domain}/{dataType}/_mappings
//
// See https://docs.threatconnect.com/en/latest/tcex/module_datastore.html
func (s DataStoreService) Do(ctx context.Context, r DataStoreRequest) ([]byte, error) {
	if err := s.c.usable(); err != nil {
		return nil, err
	}
	if _, hmac := s.c.cfg.credentials.(*hmacCredentials); hmac {
		return nil, errDataStoreNeedsToken
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	path := at("v2", "exchange", "db", string(r.Domain), value(r.Type))
	switch r.ID {
	case "", "_search", "_mappings":
		path = path.under(r.ID) // "" adds the slash that ends the path
	default:
		path = path.under(value(r.ID))
	}
	call := &call{
		method:         http.MethodPost,
		route:          path,
		header:         http.Header{"Db-Method": {r.Method}},
		body:           payload{contentType: jsonType, bytes: r.Body},
		idempotentPOST: r.Method != http.MethodPost || r.ID != "",
		readOnly:       r.Method == http.MethodGet || r.ID == "_search",
	}
	var answer []byte
	err := s.c.do(ctx, call, func(resp *http.Response) error {
		buf := s.c.buffer()
		defer s.c.release(buf)
		if err := s.c.readBody(resp, buf); err != nil {
			return err
		}
		if strings.HasPrefix(strings.ToLower(resp.Header.Get("Content-Type")), "text/html") {
			return fmt.Errorf("%w: %s", ErrBadResponse, newAPIError(call, resp, buf.Bytes()).Hint)
		}
		if env, bad := readEnvelope(buf.Bytes(), s.c.valueLimit(), nil, nil); bad == nil && !env.success() && env.message != "" {
			return newAPIError(call, resp, buf.Bytes())
		}
		answer = append([]byte{}, buf.Bytes()...)
		return nil
	})
	if api, ok := errors.AsType[*APIError](err); ok && api.StatusCode == http.StatusNotFound {
		api.Hint = "the DataStore has no such record, or no data type of this name yet"
	}
	return answer, err
}

var errDataStoreNeedsToken = &ValidationError{
	Field: "credentials",
	Rule:  "must be an API token for the DataStore, not an access id and secret key",
	Fix:   "make the client with Token or TokenFunc",
}

// DataStore stores values of type T in one data type of the DataStore, encoded with [encoding/json]. Create one with
// [DataStoreOf]. It is safe for concurrent use.
type DataStore[T any] struct {
	s      DataStoreService
	domain DataStoreDomain
	typ    string
}

// DataStoreOf returns a store for values of type T in one data type of a domain. It sends nothing. It returns a
// [*ValidationError] if domain or dataType is invalid, or if the client has [HMAC] credentials, because the DataStore
// accepts API tokens only.
func DataStoreOf[T any](client *Client, domain DataStoreDomain, dataType string) (*DataStore[T], error) {
	if err := client.usable(); err != nil {
		return nil, err
	}
	if _, hmac := client.cfg.credentials.(*hmacCredentials); hmac {
		return nil, errDataStoreNeedsToken
	}
	r := DataStoreRequest{Method: http.MethodGet, Domain: domain, Type: dataType}
	if err := r.check(); err != nil {
		return nil, err
	}
	return &DataStore[T]{s: client.DataStore, domain: domain, typ: dataType}, nil
}

// DataRecord is one record of the DataStore.
type DataRecord[T any] struct {
	ID      string // unique in the data type
	Version int64  // increases with every change; 0 if unknown
	Value   T
}

// Get returns one record. If it does not exist, the error matches [ErrNotFound]. It costs one request.
func (d *DataStore[T]) Get(ctx context.Context, recordID string) (DataRecord[T], error) {
	a, err := d.do(ctx, http.MethodGet, recordID, nil)
	if err != nil {
		return DataRecord[T]{}, err
	}
	if a.found != nil && !*a.found {
		return DataRecord[T]{}, fmt.Errorf("%w: the DataStore has no such record", ErrNotFound)
	}
	return recordOf[T](a)
}

// Create creates a record with an ID that the DataStore chooses, and returns the ID. It costs one request
// and is not retried after an unknown outcome.
func (d *DataStore[T]) Create(ctx context.Context, v T) (recordID string, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("threatconnect: the record cannot be encoded: %w", err)
	}
	answer, err := d.s.Do(ctx, DataStoreRequest{Method: http.MethodPost, Domain: d.domain, Type: d.typ, Body: body})
	if err != nil {
		return "", err
	}
	a, err := readDataAnswer(answer, d.s.c.valueLimit()/3*2)
	if err == nil && a.id == "" {
		err = fmt.Errorf("%w: it holds no record id", ErrBadResponse)
	}
	return a.id, err
}

// Put creates the record with an ID, or replaces it. It costs one request.
func (d *DataStore[T]) Put(ctx context.Context, recordID string, v T) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("threatconnect: the record cannot be encoded: %w", err)
	}
	_, err = d.do(ctx, http.MethodPut, recordID, body)
	return err
}

// Delete deletes a record. If it does not exist, the error matches [ErrNotFound]. It costs one request.
func (d *DataStore[T]) Delete(ctx context.Context, recordID string) error {
	_, err := d.do(ctx, http.MethodDelete, recordID, nil)
	return err
}

// do sends a request about one record.
func (d *DataStore[T]) do(ctx context.Context, method, recordID string, body []byte) (*dataAnswer, error) {
	switch {
	case recordID == "":
		return nil, &ValidationError{Field: "DataStore record id", Rule: "is empty"}
	case strings.HasPrefix(recordID, "_"):
		return nil, &ValidationError{Field: "DataStore record id", Rule: "begins with an underscore, as only Elasticsearch's own names do"}
	}
	answer, err := d.s.Do(ctx, DataStoreRequest{Method: method, Domain: d.domain, Type: d.typ, ID: recordID, Body: body})
	if err != nil {
		return nil, err
	}
	a, err := readDataAnswer(answer, d.s.c.valueLimit()/3*2)
	if err == nil && a.id != "" && a.id != recordID {
		return nil, errWrongID
	}
	return a, err
}

// List returns the records that Elasticsearch returns without a query: the first ten, unless the instance has another
// default. It costs one request.
func (d *DataStore[T]) List(ctx context.Context) (*Page[DataRecord[T]], error) {
	return d.hits(ctx, "", nil, 0)
}

// Search returns the records that match an Elasticsearch query. query is a value that [encoding/json] encodes as the
// query, for example map[string]any{"query": ..., "from": 0, "size": 100} or a [json.RawMessage]. The field More of the
// page reports whether more records follow. Search costs one request.
func (d *DataStore[T]) Search(ctx context.Context, query any) (*Page[DataRecord[T]], error) {
	body, err := json.Marshal(query)
	if err != nil {
		return nil, fmt.Errorf("threatconnect: the DataStore query cannot be encoded: %w", err)
	}
	return d.hits(ctx, "_search", body, fromOf(body))
}

// fromOf returns the offset in an Elasticsearch query.
func fromOf(query []byte) int64 {
	var from int64
	r := wire.NewReader(query)
	if r.Kind() != wire.Object {
		return 0
	}
	for r.Object(); r.NextKey(); {
		if string(r.Key()) == "from" {
			from = r.Int64()
		} else {
			r.Skip()
		}
	}
	return from
}

func (d *DataStore[T]) hits(ctx context.Context, what string, body []byte, from int64) (*Page[DataRecord[T]], error) {
	answer, err := d.s.Do(ctx, DataStoreRequest{Method: http.MethodGet, Domain: d.domain, Type: d.typ, ID: what, Body: body})
	if err != nil {
		return nil, err
	}
	a, err := readDataAnswer(answer, d.s.c.valueLimit()/3*2)
	if err != nil {
		return nil, err
	}
	p := &Page[DataRecord[T]]{Items: []DataRecord[T]{}, Total: a.total}
	for i := range a.hits {
		r, err := recordOf[T](&a.hits[i])
		if err != nil {
			return nil, err
		}
		p.Items = append(p.Items, r)
	}
	p.More = len(p.Items) > 0 && (p.Total < 0 || p.Total-from > int64(len(p.Items)))
	return p, nil
}

// SetMappings sets how Elasticsearch indexes the data type. mappings is a value that [encoding/json] encodes as the
// mappings, for example map[string]any{"dynamic": false} or a [json.RawMessage]. It costs one request.
func (d *DataStore[T]) SetMappings(ctx context.Context, mappings any) error {
	body, err := json.Marshal(mappings)
	if err != nil {
		return fmt.Errorf("threatconnect: the DataStore mappings cannot be encoded: %w", err)
	}
	_, err = d.s.Do(ctx, DataStoreRequest{Method: http.MethodPut, Domain: d.domain, Type: d.typ, ID: "_mappings", Body: body})
	return err
}
