package threatconnecttest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/scaletest"
)

// After every request of a random sequence, the indexes, counts and links of the server are
// consistent.
func TestRandomSequencesKeepTheStateConsistent(t *testing.T) {
	t.Parallel()
	statuses := map[int]int{}
	for seed := range uint64(scaletest.Size(60)) {
		m := newModel(t, rand.NewPCG(seed, 1))
		for range 60 {
			statuses[m.step(t)]++
		}
	}
	for _, status := range []int{200, 201, 202, 400, 404} {
		require.Greater(t, statuses[status], 30, "too few responses with status %d: %v", status, statuses)
	}
}

// FuzzSequences runs the same checks with sequences from the fuzzer.
func FuzzSequences(f *testing.F) {
	for seed := range uint64(20) {
		choices := make([]byte, 150)
		r := rand.New(rand.NewPCG(seed, 2))
		for i := range choices {
			choices[i] = byte(r.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		src := &choiceSource{left: choices, rest: rand.NewPCG(1, 2)}
		m := newModel(t, src)
		for steps := 0; len(src.left) > 0 && steps < 60; steps++ {
			m.step(t)
		}
	})
}

// choiceSource makes one choice per byte, and random choices after the last byte.
type choiceSource struct {
	left []byte
	rest rand.Source
}

func (s *choiceSource) Uint64() uint64 {
	if len(s.left) == 0 {
		return s.rest.Uint64()
	}
	b := s.left[0]
	s.left = s.left[1:]
	return uint64(b) * 0x01_01_01_01_01_01_01_01 // rand uses the high or the low bits
}

// model makes the requests of a sequence. Its names and IDs come from small sets, so they often
// coincide.
type model struct {
	*rand.Rand
	srv   *Server
	clock time.Duration
	log   []string
}

func newModel(t *testing.T, src rand.Source) *model {
	m := &model{Rand: rand.New(src), srv: New()}
	for i := range 3 {
		require.NoError(t, m.srv.Seed(&GroupRecord{Type: "Adversary", Name: "g", XID: fmt.Sprintf("x%d", i)}))
	}
	return m
}

// step makes a request, checks the server and returns the status of the response.
func (m *model) step(t *testing.T) int {
	switch m.IntN(20) {
	case 0:
		m.srv.SetBatchDuration(time.Duration(m.IntN(3)) * time.Minute)
	case 1:
		m.clock += time.Minute
		m.srv.SetClockOffset(m.clock)
	case 2:
		m.seed(t)
	}
	method, path, body := m.request()
	status := m.send(method, path, body)
	if path == "batch" && status == http.StatusCreated {
		created := m.jobs()
		job := created[len(created)-1-m.IntN(min(2, len(created)))] // the newest or the second newest
		status = m.send("POST", fmt.Sprintf("batch/%d", job.ID), m.batchFile())
	}
	if err := m.srv.Check(); err != nil {
		t.Fatalf("step %d: %v, after\n%s", len(m.log), err, strings.Join(m.log[max(0, len(m.log)-8):], "\n"))
	}
	return status
}

// seed updates or deletes an existing record.
func (m *model) seed(t *testing.T) {
	owner := m.srv.Owners()[0].Name
	var all []Record
	for _, i := range m.srv.Indicators(owner) {
		all = append(all, &i)
	}
	for _, g := range m.srv.Groups(owner) {
		all = append(all, &g)
	}
	for _, k := range m.srv.Tasks(owner) {
		all = append(all, &k)
	}
	for _, v := range m.srv.Victims(owner) {
		all = append(all, &v)
	}
	if len(all) == 0 {
		return
	}
	one := all[m.IntN(len(all))]
	if m.IntN(3) == 0 {
		require.NoError(t, m.srv.Delete(one), "%+v", one)
		m.log = append(m.log, fmt.Sprintf("Delete %+v", one))
		return
	}
	require.NoError(t, m.srv.Update(one), "%+v", one)
	m.log = append(m.log, fmt.Sprintf("Update %+v", one))
}

// jobs returns the jobs without content.
func (m *model) jobs() []JobRecord {
	return slices.DeleteFunc(m.srv.Jobs(), func(j JobRecord) bool { return j.Status != jobCreated })
}

func (m *model) one(of ...string) string { return of[m.IntN(len(of))] }
func (m *model) hash(length int) string  { return fmt.Sprintf("%0*X", length, m.IntN(3)) }
func (m *model) host() string            { return fmt.Sprintf("h%d.example.com", m.IntN(3)) }
func (m *model) file() string            { return "files/" + m.hash([]int{32, 40, 64}[m.IntN(3)]) }

// resource returns the path of a resource that probably exists.
func (m *model) resource() string {
	paths := []string{"indicators/" + m.file(), "indicators/hosts/" + m.host(), "groups/threats/1", "tasks/1", "victims/1"}
	for _, g := range m.srv.owners[0].groups {
		paths = append(paths, fmt.Sprintf("groups/%s/%d", g.typ.branch, g.id))
	}
	for _, t := range m.srv.tasks {
		paths = append(paths, fmt.Sprintf("tasks/%d", t.id))
	}
	for _, v := range m.srv.victims {
		paths = append(paths, fmt.Sprintf("victims/%d", v.id))
	}
	return m.one(paths...)
}

func (m *model) request() (method, path, body string) {
	tag, label := fmt.Sprintf("tags/t%d", m.IntN(3)), "securityLabels/"+m.one("TLP%3ARED", "L")
	switch m.IntN(14) {
	case 0:
		return "POST", m.one("groups/adversaries", "groups/threats", "tasks", "victims"), `{"name":"x"}`
	case 1:
		return "POST", m.resource() + "/victimAssets/webSites", `{"webSite":"http://a.example"}`
	case 2:
		return "POST", "indicators/hosts", `{"hostName":"` + m.host() + `"}`
	case 3:
		return "POST", "indicators/files", `{"md5":"` + m.hash(32) + `","sha1":"` + m.hash(40) + `"}`
	case 4:
		return "DELETE", m.one(m.resource(), m.resource(), tag, label), ""
	case 5, 6:
		return m.one("POST", "POST", "DELETE"), m.resource() + "/" + m.resource(), ""
	case 7:
		return m.one("POST", "DELETE"), m.resource() + "/" + tag, ""
	case 8:
		return m.one("POST", "DELETE"), m.resource() + "/" + label, ""
	case 9:
		return "POST", m.resource() + "/attributes", `{"type":"` + m.one("Description", "Source") + `","value":"v","displayed":true}`
	case 10:
		return "PUT", tag, fmt.Sprintf(`{"name":"t%d"}`, m.IntN(3))
	case 11:
		return "DELETE", fmt.Sprintf("%s/victimAssets/webSites/%d", m.resource(), 1001+m.IntN(40)), ""
	case 12:
		return "POST", "indicators/" + m.file() + "/actions/drop/indicators/" + m.file(), ""
	}
	return "POST", "batch", fmt.Sprintf(`{"owner":"Example Organization","version":"V2","haltOnError":%t,"action":%q,"attributeWriteType":%q,"tagWriteType":%q,
		"fileMergeMode":%q,"hashCollisionMode":%q}`, m.IntN(2) == 0, m.one("Create", "Create", "Delete"), m.one("Append", "Replace", "Singleton", "Static"),
		m.one("Append", "Replace"), m.one("Merge", "Distribute"), m.one("FavorExisting", "FavorIncoming", "IgnoreExisting", "IgnoreIncoming", "Split"))
}

func (m *model) batchFile() string {
	var items []string
	for range 1 + m.IntN(3) {
		hashes := []string{m.hash(32), m.hash(40), m.hash(64)}[m.IntN(3):]
		items = append(items, fmt.Sprintf(`{"type":"File","summary":%q,"tag":[{"name":"t%d"}],"associatedGroups":[{"groupXid":"x%d"}],
			"attribute":[{"type":"Description","value":"d","displayed":true}],"securityLabel":[{"name":"L","description":"d","color":"aabbcc"}]}`,
			strings.Join(hashes, " : "), m.IntN(3), m.IntN(3)))
	}
	return fmt.Sprintf(`{"group":[{"type":"Adversary","name":"g","xid":"x%d","associatedGroupXid":["x%d"]}],"indicator":[%s]}`,
		m.IntN(3), m.IntN(3), strings.Join(items, ","))
}

func (m *model) send(method, path, body string) int {
	req := httptest.NewRequest(method, "/api/v2/"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "TC-Token "+m.srv.Token())
	req.Header.Set("Content-Type", "application/octet-stream")
	w := httptest.NewRecorder()
	m.srv.ServeHTTP(w, req)
	m.log = append(m.log, fmt.Sprintf("%s %s %s -> %d %s", method, path, body, w.Code, w.Body))
	return w.Code
}
