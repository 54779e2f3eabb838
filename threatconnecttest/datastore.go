package threatconnecttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// dataType is a data type of a DataStore domain.
type dataType struct {
	records []*dataRecord // in insertion order
	changes int64
}

type dataRecord struct {
	id      string
	version int64
	source  json.RawMessage
}

func (t *dataType) find(id string) *dataRecord {
	return first(t.records, func(r *dataRecord) bool { return r.id == id })
}

// WithPlainDataStoreErrors makes the DataStore respond to requests for a missing data type with a
// plain sentence that is labeled as JSON, as some instances do.
func WithPlainDataStoreErrors() Option { return func(s *Server) { s.plainDataStore = true } }

// DataStore returns the records of a data type as JSON, by ID. The domain is local, organization or
// system.
func (s *Server) DataStore(domain, dataType string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{}
	if t := s.datastore[domain+"/"+dataType]; t != nil {
		for _, r := range t.records {
			all[r.id] = string(r.source)
		}
	}
	return all
}

func dataStoreRoutes() []route {
	const base = "/v2/exchange/db/{domain}/{dataType}/"
	return []route{
		{method: "POST", pattern: base + "{rid}", handle: inDataStore((*call).dataRecord)},
		{method: "POST", pattern: base, handle: inDataStore((*call).dataCollection)},
		{method: "POST", pattern: base + "_search", handle: inDataStore((*call).searchData)},
		{method: "POST", pattern: base + "_mappings", handle: inDataStore((*call).mapData)},
	}
}

// inDataStore makes the checks that all DataStore calls share, such as an existing domain. t is nil
// if the data type has no records yet.
func inDataStore(handle func(c *call, operation string, t *dataType) *answer) func(*call) *answer {
	return func(c *call) *answer {
		if c.odd(OddityDataStoreNeedsToken) && !strings.HasPrefix(headerValue(c.req.Header, "Authorization"), "TC-Token ") {
			return fail(http.StatusUnauthorized, msgUnauthorized)
		}
		if !slices.Contains(dataDomains, c.params.get("domain")) {
			return missing()
		}
		operation := headerValue(c.req.Header, "DB-Method")
		if !slices.Contains([]string{"GET", "POST", "PUT", "DELETE"}, operation) {
			return fail(http.StatusBadRequest, msgMalformed)
		}
		return handle(c, operation, c.datastore[c.params.get("domain")+"/"+c.params.get("dataType")])
	}
}

// makeDataType creates a data type that does not exist.
func (w *world) makeDataType(domain, name string) *dataType {
	if w.datastore == nil {
		w.datastore = map[string]*dataType{}
	}
	t := &dataType{}
	w.datastore[domain+"/"+name] = t
	return t
}

// newDataID returns an ID for a record without one.
func (w *world) newDataID() string { return "generated-" + strconv.FormatInt(w.nextID(), 10) }

// dataType returns the data type of the call and creates it if t is nil.
func (c *call) dataType(t *dataType) *dataType {
	if t == nil {
		t = c.makeDataType(c.params.get("domain"), c.params.get("dataType"))
	}
	return t
}

// elastic responds as Elasticsearch does, without the platform's envelope.
func elastic(status int, format string, args ...any) *answer {
	return jsonAnswer(status, fmt.Appendf(nil, format, args...))
}

func (c *call) noDataType() *answer {
	if c.plainDataStore {
		return jsonAnswer(http.StatusOK, []byte("no such index"))
	}
	return elastic(http.StatusNotFound, `{"error":{"type":"index_not_found_exception","reason":"no such index"},"status":404}`)
}

// head returns the beginning of a response or hit about a record.
func (c *call) head(id string) string {
	return fmt.Sprintf(`{"_index":%s,"_type":%s,"_id":%s`, quoteJSON("$"+c.params.get("domain")+".example"), quoteJSON(c.params.get("dataType")), quoteJSON(id))
}

func (c *call) dataRecord(operation string, t *dataType) *answer {
	id := c.params.get("rid")
	switch operation {
	case http.MethodPost, http.MethodPut:
		return c.storeData(c.dataType(t), id)
	}
	if t == nil {
		return c.noDataType()
	}
	r := t.find(id)
	switch {
	case r == nil && operation == http.MethodGet:
		return elastic(http.StatusNotFound, `%s,"found":false}`, c.head(id))
	case r == nil:
		return elastic(http.StatusNotFound, `%s,"_version":1,"result":"not_found"}`, c.head(id))
	case operation == http.MethodGet:
		return elastic(http.StatusOK, `%s,"_version":%d,"found":true,"_source":%s}`, c.head(id), r.version, r.source)
	}
	t.records = remove(t.records, r)
	r.version++
	return c.changedData(t, r, "deleted")
}

// dataCollection creates a record with an ID chosen by the server, or lists records.
func (c *call) dataCollection(operation string, t *dataType) *answer {
	switch operation {
	case http.MethodPost:
		return c.storeData(c.dataType(t), c.newDataID())
	case http.MethodGet:
		if t == nil {
			return c.noDataType()
		}
		return c.dataHits(t.records, 0, 10)
	}
	return fail(http.StatusBadRequest, msgMalformed)
}

func (c *call) storeData(t *dataType, id string) *answer {
	if _, ok := readFields(c.body); !ok {
		return elastic(http.StatusBadRequest, `{"error":{"type":"mapper_parsing_exception"},"status":400}`)
	}
	r, result := t.find(id), "updated"
	if r == nil {
		r, result = &dataRecord{id: id}, "created"
		t.records = append(t.records, r)
	}
	r.version++
	r.source = slices.Clone(c.body)
	return c.changedData(t, r, result)
}

func (c *call) changedData(t *dataType, r *dataRecord, result string) *answer {
	t.changes++
	return elastic(http.StatusOK, `%s,"_version":%d,"result":%q,"_shards":{"total":2,"successful":1,"failed":0},"_seq_no":%d,"_primary_term":1}`,
		c.head(r.id), r.version, result, t.changes)
}

func (c *call) dataHits(found []*dataRecord, from, size int) *answer {
	b := fmt.Appendf(nil, `{"took":1,"timed_out":false,"hits":{"total":%d,"max_score":1.0,"hits":[`, len(found))
	for n, r := range found[min(from, len(found)):min(from+size, len(found))] {
		if n > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `%s,"_score":1.0,"_source":%s}`, c.head(r.id), r.source)
	}
	return jsonAnswer(http.StatusOK, append(b, "]}}"...))
}

// searchData supports match_all, match and term on members of records, from, and size.
func (c *call) searchData(operation string, t *dataType) *answer {
	if operation != http.MethodGet {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	q := struct {
		From, Size int
		Query      map[string]map[string]json.RawMessage
	}{Size: 10}
	bad := elastic(http.StatusBadRequest, `{"error":{"type":"parsing_exception"},"status":400}`)
	if json.Unmarshal(c.body, &q) != nil || q.From < 0 || q.Size < 0 || q.Size > 10_000 {
		return bad
	}
	if t == nil {
		return c.noDataType()
	}
	found := t.records
	for kind, members := range q.Query {
		switch kind {
		case "match_all":
		case "match", "term":
			found = slices.DeleteFunc(slices.Clone(found), func(r *dataRecord) bool { return !r.has(members) })
		default:
			return bad
		}
	}
	return c.dataHits(found, q.From, q.Size)
}

// has reports whether a record has members with these values.
func (r *dataRecord) has(members map[string]json.RawMessage) bool {
	f, _ := readFields(r.source)
	for name, want := range members {
		w, ok := scalarText(want)
		if got, there := f.text(name); !ok || !there || !strings.EqualFold(got, w) {
			return false
		}
	}
	return true
}

func (c *call) mapData(operation string, t *dataType) *answer {
	if _, ok := readFields(c.body); !ok || operation != http.MethodPut {
		return elastic(http.StatusBadRequest, `{"error":{"type":"mapper_parsing_exception"},"status":400}`)
	}
	c.dataType(t)
	return elastic(http.StatusOK, `{"acknowledged":true}`)
}
