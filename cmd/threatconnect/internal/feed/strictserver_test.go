package feed

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// strictServer serves only the requests of an import. It shares no code with the SDK's test server and is stricter: it
// complains about everything unexpected. It stores the groups and indicators of one owner, and fails a share of the
// requests.
type strictServer struct {
	id, secret, owner string
	limit             int                       // maximum size of a file in bytes
	faults            func() (kind strictFault) // called for each request

	mu         sync.Mutex
	jobs       []*strictJob
	groups     map[string]bool
	indicators map[string]int // "Type value": how often it was imported
	linked     map[string]int // "value xid": how often they were associated
	complaints []string
	struck     map[strictFault]int
	requests   int
	uploads    int
}

type strictFault int

const (
	noFault strictFault = iota
	fault503
	faultReset
	faultLostReply
	faultHTML
)

type strictJob struct {
	state   string // Created, Running, Completed
	looks   int    // polls until it is Completed
	late    bool   // the first request for the error file fails
	ok      int
	refused []strictError
}

type strictError struct {
	Reason string `json:"errorReason"`
	Source string `json:"errorSource"`
}

func newStrictServer(owner string, seed uint64, rate float64) *strictServer {
	random, struck := rand.New(rand.NewPCG(seed, 1)), 0
	return &strictServer{
		id: "52417", secret: `k"y$ with!signs`, owner: owner, limit: 9_000,
		groups: map[string]bool{}, indicators: map[string]int{}, linked: map[string]int{}, struck: map[strictFault]int{},
		faults: func() strictFault {
			if random.Float64() >= rate {
				return noFault
			}
			struck++
			return strictFault(1 + struck%4)
		},
	}
}

// complain records a mistake of the client.
func (s *strictServer) complain(format string, args ...any) {
	s.complaints = append(s.complaints, fmt.Sprintf(format, args...))
}

func (s *strictServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	fault := s.faults()
	if at := jobPath.FindStringSubmatch(r.URL.Path); r.Method == http.MethodPost && at != nil && s.uploads < 4 {
		s.uploads++
		fault = strictFault(s.uploads) // each kind of fault hits an upload
	}
	s.struck[fault]++
	switch fault {
	case fault503:
		if s.struck[fault]%2 == 0 {
			w.Header().Set("Retry-After", "0")
		}
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	case faultReset:
		reset(w)
		return
	case faultHTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title>")
		return
	}
	status, header, body := s.answer(r)
	if fault == faultLostReply {
		reset(w)
		return
	}
	for k, v := range header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// reset ends the connection with an RST.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

var jsonHeader = map[string]string{"Content-Type": "application/json"}

func failure(status int, text string) (int, map[string]string, []byte) {
	return status, jsonHeader, []byte(fmt.Sprintf(`{"status":"Invalid","description":%q}`, text))
}

var jobPath = regexp.MustCompile(`^/api/v2/batch/([0-9]+)(/errors|/results)?$`)

func (s *strictServer) answer(r *http.Request) (int, map[string]string, []byte) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.complain("%s: the body broke off: %v", r.RequestURI, err)
		return failure(http.StatusBadRequest, "broken body")
	}
	if why := s.unsigned(r); why != "" {
		s.complain("%s %s: %s", r.Method, r.RequestURI, why)
		return failure(http.StatusUnauthorized, why)
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if int64(len(body)) != r.ContentLength {
		s.complain("%s %s: %d bytes, and a length of %d", r.Method, path, len(body), r.ContentLength)
	}
	at := jobPath.FindStringSubmatch(path)
	switch {
	case path == "/api/v2/owners" && r.Method == http.MethodGet:
		return http.StatusOK, jsonHeader, []byte(fmt.Sprintf(`{"status":"Success","data":{"resultCount":1,"owner":[{"id":7,"name":%q,"type":"Source"}]}}`, s.owner))
	case path == "/api/v2/batch" && r.Method == http.MethodPost && query == "":
		return s.create(r, body)
	case at == nil:
	case r.Method == http.MethodPost && at[2] == "" && query == "":
		return s.upload(r, at[1], body)
	case r.Method == http.MethodGet && at[2] == "" && (query == "" || query == "includeAdditional=true"):
		return s.status(at[1])
	case r.Method == http.MethodGet && at[2] == "/errors" && query == "":
		return s.errors(at[1])
	case r.Method == http.MethodGet && at[2] == "/results" && query == "": // old instances have none
		return failure(http.StatusNotFound, "The requested resource was not found")
	}
	s.complain("%s %s: not a request that an import needs", r.Method, r.RequestURI)
	return failure(http.StatusNotFound, "The requested resource was not found")
}

// unsigned returns the first mistake in the headers of a request, or "".
func (s *strictServer) unsigned(r *http.Request) string {
	stamp := r.Header.Get("Timestamp")
	n, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || time.Since(time.Unix(n, 0)).Abs() > 5*time.Minute {
		return "Timestamp out of acceptable time range"
	}
	mac := hmac.New(sha256.New, []byte(s.secret))
	io.WriteString(mac, r.RequestURI+":"+r.Method+":"+stamp)
	switch {
	case r.Header.Get("Authorization") != "TC "+s.id+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)):
		return "Signature data did not match expected result"
	case len(r.Header["Authorization"]) != 1 || len(r.Header["Timestamp"]) != 1:
		return "a header is there twice"
	case r.Header.Get("Accept") != "application/json" && !strings.HasSuffix(r.URL.Path, "/errors"):
		return "does not ask for JSON"
	case !strings.Contains(r.UserAgent(), "/"):
		return "User-Agent without product and version"
	}
	return ""
}

// strictly decodes one JSON value and refuses unknown members.
func strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something comes after it")
	}
	return nil
}

func (s *strictServer) create(r *http.Request, body []byte) (int, map[string]string, []byte) {
	var c struct {
		Version, Owner, Action                                   string
		HaltOnError                                              bool
		AttributeWriteType, TagWriteType, SecurityLabelWriteType string
	}
	err := strictly(body, &c)
	switch {
	case err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		s.complain("configuration of type %q: %v", r.Header.Get("Content-Type"), err)
	case c.Version != "V2" || c.Action != "Create" || c.HaltOnError || c.AttributeWriteType != "Append" || c.TagWriteType != "Append" || c.SecurityLabelWriteType != "Append":
		s.complain("configuration: %s", body)
	case c.Owner != s.owner:
		return failure(http.StatusForbidden, "The requested owner was not found")
	}
	looks := 0
	if len(s.jobs)%20 == 3 {
		looks = 1
	}
	s.jobs = append(s.jobs, &strictJob{state: "Created", looks: looks, late: len(s.jobs)%9 == 1})
	return http.StatusCreated, jsonHeader, []byte(fmt.Sprintf(`{"status":"Success","data":{"batchId":%d}}`, len(s.jobs)))
}

func (s *strictServer) job(id string) *strictJob {
	n, err := strconv.Atoi(id)
	if err != nil || n < 1 || n > len(s.jobs) {
		s.complain("job %s was never made", id)
		return &strictJob{}
	}
	return s.jobs[n-1]
}

func (s *strictServer) upload(r *http.Request, id string, body []byte) (int, map[string]string, []byte) {
	j := s.job(id)
	switch {
	case r.Header.Get("Content-Type") != "application/octet-stream":
		s.complain("file of type %q", r.Header.Get("Content-Type"))
	case j.state != "Created":
		s.complain("job %s: a second file, while it is %s", id, j.state)
		return failure(http.StatusBadRequest, "Batch is not in Created state")
	case len(body) > s.limit:
		return failure(http.StatusBadRequest, fmt.Sprintf("File size greater than allowable limit of %d", s.limit))
	}
	j.state = "Running"
	if string(body) != emptyFile { // the preflight's file
		s.process(j, body)
	}
	return http.StatusAccepted, jsonHeader, []byte(`{"status":"Queued"}`)
}

type strictFile struct {
	Group       []strictGroup     `json:"group"`
	Indicator   []strictIndicator `json:"indicator"`
	Association []struct {
		Type1 string `json:"type_1"`
		Ref1  string `json:"ref_1"`
		Ref2  string `json:"ref_2"`
	} `json:"association"`
}

type strictGroup struct {
	Name, Type, XID string
	Attribute       []strictAttribute
	Tag             []strictTag
}

type strictIndicator struct {
	Type, Summary    string
	Rating           *float64
	Confidence       *int
	Attribute        []strictAttribute
	Tag              []strictTag
	AssociatedGroups []struct{ GroupXID string }
}

type (
	strictAttribute struct{ Type, Value string }
	strictTag       struct{ Name string }
)

// process stores the valid items of a file and refuses the others.
func (s *strictServer) process(j *strictJob, body []byte) {
	var f strictFile
	if err := strictly(body, &f); err != nil || bytes.Contains(body, []byte("null")) || len(f.Group)+len(f.Indicator)+len(f.Association) == 0 {
		s.complain("a file that is none: %v", err)
		return
	}
	for _, g := range f.Group {
		if g.Name == "" || g.XID == "" || len(g.Name) > 100 {
			s.complain("a group without a name or xid")
		}
		s.groups[g.XID] = true
		j.ok++
	}
	for _, i := range f.Indicator {
		if !acceptable(i) {
			j.refused = append(j.refused, strictError{"Error (0x1005): " + i.Summary + " is not valid", i.Summary})
			continue
		}
		j.ok++
		s.indicators[i.Type+" "+i.Summary]++
		for _, g := range i.AssociatedGroups {
			if !s.groups[g.GroupXID] {
				s.complain("a group that an indicator refers to is not there yet")
			}
			s.linked[i.Summary+" "+g.GroupXID]++
		}
	}
	for _, a := range f.Association {
		if s.indicators[a.Type1+" "+a.Ref1] == 0 || !s.groups[a.Ref2] {
			s.complain("an end of an association is not there yet")
		}
		s.linked[a.Ref1+" "+a.Ref2]++
		j.ok++
	}
}

var strictHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,13}$`)

// acceptable reports whether the server accepts an indicator. It accepts no underscore.
func acceptable(i strictIndicator) bool {
	if i.Rating != nil && (*i.Rating < 0 || *i.Rating > 5) || i.Confidence != nil && (*i.Confidence < 0 || *i.Confidence > 100) {
		return false
	}
	for _, t := range i.Tag {
		if n := len([]rune(t.Name)); n == 0 || n > 128 {
			return false
		}
	}
	switch i.Type {
	case "Host":
		return len(i.Summary) <= 253 && strictHost.MatchString(i.Summary)
	case "Address":
		ip, err := netip.ParseAddr(i.Summary)
		return err == nil && ip.Is4() && ip.String() == i.Summary
	}
	return false
}

func (s *strictServer) status(id string) (int, map[string]string, []byte) {
	j := s.job(id)
	if j.state == "Running" {
		if j.looks > 0 {
			j.looks--
			return http.StatusOK, jsonHeader, []byte(`{"status":"Running"}`)
		}
		j.state = "Completed"
	}
	return http.StatusOK, jsonHeader, []byte(fmt.Sprintf(
		`{"status":"Success","data":{"batchStatus":{"id":%s,"status":%q,"errorCount":%d,"successCount":%d,"unprocessCount":0}}}`,
		id, j.state, len(j.refused), j.ok))
}

func (s *strictServer) errors(id string) (int, map[string]string, []byte) {
	j := s.job(id)
	switch {
	case j.state != "Completed":
		s.complain("job %s: errors of a job that is %s", id, j.state)
		return failure(http.StatusBadRequest, "Batch still in "+j.state+" state")
	case len(j.refused) == 0 || j.late: // the file can appear a moment after the end of the job
		j.late = false
		return failure(http.StatusNotFound, "The requested resource was not found")
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if err := errors.Join(json.NewEncoder(z).Encode(j.refused), z.Close()); err != nil {
		return failure(http.StatusInternalServerError, err.Error())
	}
	return http.StatusOK, map[string]string{"Content-Type": "application/octet-stream ; boundary="}, zipped.Bytes()
}

// env serves s on a port and returns the environment of a client.
func (s *strictServer) env(t *testing.T) env {
	t.Helper()
	port := httptest.NewServer(s)
	t.Cleanup(port.Close)
	return env{
		vars: map[string]string{"TC_BASE_URL": port.URL + "/api", "TC_ACCESS_ID": s.id, "TC_SECRET_KEY": s.secret, "TC_OWNER": s.owner},
		args: []string{"--allow-documentation", "--raw-xids"},
	}
}
