package threatconnect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// dataAnswer is a response of Elasticsearch, or one hit in it.
type dataAnswer struct {
	id      string
	version int64
	found   *bool
	source  json.RawMessage
	hits    []dataAnswer
	total   int64  // -1 if unknown
	fault   string // type of the error; empty if none
	status  string // of an error: its HTTP status
}

// recordOf decodes the value of a record.
func recordOf[T any](a *dataAnswer) (DataRecord[T], error) {
	r := DataRecord[T]{ID: a.id, Version: a.version}
	if a.source == nil {
		return DataRecord[T]{}, fmt.Errorf("%w: it holds no record", ErrBadResponse)
	}
	if err := json.Unmarshal(a.source, &r.Value); err != nil {
		return DataRecord[T]{}, misfit(err)
	}
	return r, nil
}

// misfit returns an error of decoding a record whose text has no values of the record. Errors of package encoding/json
// and of types such as [time.Time] quote values.
func misfit(err error) error {
	why := fmt.Sprintf("an unrecognized error of type %T (unwrap it to read it)", err)
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		kind, _, _ := strings.Cut(e.Value, " ")
		why = fmt.Sprintf("a JSON %s cannot be a Go %s in field %q", kind, e.Type, e.Field)
	}
	return &cleanError{text: "threatconnect: the record does not fit its type: " + why, err: err}
}

// readDataAnswer reads a response of Elasticsearch, which may not be JSON. limit is the maximum memory of the values.
func readDataAnswer(text []byte, limit int64) (*dataAnswer, error) {
	r := wire.NewReader(text)
	r.Limit(limit)
	a := readDataObject(r)
	r.End()
	if err := r.Err(); err != nil {
		return &dataAnswer{}, fmt.Errorf("%w; DataStore.Do returns what the DataStore answered", unreadable(err))
	}
	switch {
	case a.fault != "" && (a.status == "404" || strings.Contains(a.fault, "not_found")):
		return &a, fmt.Errorf("%w: the DataStore answers with %s", ErrNotFound, knownFault(a.fault))
	case a.fault != "":
		return &a, fmt.Errorf("%w: the DataStore answers with %s", ErrBadResponse, knownFault(a.fault))
	}
	return &a, nil
}

// knownFault returns the type of an error of Elasticsearch for an error text, or a description if it is unknown.
func knownFault(fault string) string {
	switch fault {
	case "index_not_found_exception", "resource_not_found_exception", "document_missing_exception", "parsing_exception", "mapper_parsing_exception", "illegal_argument_exception",
		"search_phase_execution_exception", "version_conflict_engine_exception", "resource_already_exists_exception", "query_shard_exception", "security_exception":
		return fault
	}
	return "an error of an unknown type; DataStoreService.Do returns the answer"
}

func readDataObject(r *wire.Reader) dataAnswer {
	a := dataAnswer{total: -1}
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "_id":
			a.id = r.Text()
		case "_version":
			a.version = r.Int64()
		case "found":
			a.found = r.BoolPtr()
		case "_source":
			a.source = r.RawCopy()
		case "error":
			a.fault = readDataFault(r)
		case "status":
			a.status = r.Text()
		case "hits":
			if r.Kind() != wire.Object {
				r.Skip()
				continue
			}
			for r.Object(); r.NextKey(); {
				switch string(r.Key()) {
				case "total":
					a.total = readDataTotal(r)
				case "hits":
					a.hits = readList(r, readDataObject)
				default:
					r.Skip()
				}
			}
		default:
			r.Skip()
		}
	}
	return a
}

// readDataFault returns the type of an error of Elasticsearch, without its message, which can contain values.
func readDataFault(r *wire.Reader) string {
	kind := "error"
	if r.Kind() != wire.Object {
		r.Skip()
		return kind
	}
	for r.Object(); r.NextKey(); {
		if string(r.Key()) != "type" {
			r.Skip()
		} else if text := r.Text(); dataFault.MatchString(text) {
			kind = text
		}
	}
	return kind
}

// dataFault matches the types of Elasticsearch errors. Other text is not shown.
var dataFault = regexp.MustCompile(`^[a-z_]{1,64}$`)

// readDataTotal reads a total: a number, or in newer versions of Elasticsearch an object with a value. It returns -1 if
// the value is only a lower bound.
func readDataTotal(r *wire.Reader) int64 {
	if r.Kind() != wire.Object {
		return r.Int64()
	}
	n, exact := int64(-1), true
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "value":
			n = r.Int64()
		case "relation":
			exact = r.Text() == "eq"
		default:
			r.Skip()
		}
	}
	if !exact {
		return -1
	}
	return n
}
