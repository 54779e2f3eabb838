package threatconnecttest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// After every request of a random sequence, the indexes, counts and links of the server agree.
func TestRandomSequencesKeepTheStateConsistent(t *testing.T) {
	t.Parallel()
	statuses := map[int]int{}
	for seed := range uint64(200) {
		m := &model{Rand: rand.New(rand.NewPCG(seed, 1)), srv: New()}
		for i := range 3 {
			require.NoError(t, m.srv.Seed(&GroupRecord{Type: "Adversary", Name: "g", XID: fmt.Sprintf("x%d", i)}))
		}
		for step := range 60 {
			method, path, body := m.request()
			if path == "batch" && m.send(method, path, body) == http.StatusCreated {
				m.jobs++
				method, path, body = "POST", fmt.Sprintf("batch/%d", m.jobs), m.batchFile()
			}
			statuses[m.send(method, path, body)]++
			if err := m.srv.Check(); err != nil {
				t.Fatalf("seed %d, step %d: %v, after\n%s", seed, step, err, strings.Join(m.log[max(0, len(m.log)-8):], "\n"))
			}
		}
	}
	for _, status := range []int{200, 201, 202, 400, 404} {
		require.Greater(t, statuses[status], 100, "the sequences no longer reach answers of %d: %v", status, statuses)
	}
}

// model makes the requests of one sequence. Names and ids come from small sets, so that they meet.
type model struct {
	*rand.Rand
	srv  *Server
	jobs int
	log  []string
}

func (m *model) one(of ...string) string { return of[m.IntN(len(of))] }
func (m *model) hash(length int) string  { return fmt.Sprintf("%0*X", length, m.IntN(3)) }
func (m *model) host() string            { return fmt.Sprintf("h%d.example.com", m.IntN(3)) }
func (m *model) file() string            { return "files/" + m.hash([]int{32, 40, 64}[m.IntN(3)]) }

// resource is the path of a resource, which exists more often than not.
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
