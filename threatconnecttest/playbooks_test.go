package threatconnecttest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPlaybookRules(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := &Playbook{Name: "Example", GroupXID: "g"}
	r.seed(p)
	require.Error(t, r.srv.Seed(&Playbook{Name: "Other", GroupXID: "g"}))
	require.Error(t, r.srv.Seed(&Playbook{}))
	r.must(200, "GET", fmt.Sprintf("/v2/playbooks/%d", p.ID), "")
	r.must(404, "GET", "/v2/playbooks/nobody", "")
	r.must(400, "POST", "/v2/playbooks", "no JSON")
	r.must(400, "POST", "/v2/playbooks/g", `{"type":"x"}`)
	r.must(400, "GET", "/v2/playbooks/search?status=Asleep", "")
	r.must(400, "GET", "/v2/playbooks/g/export?format=zip", "")
	assert.InDelta(t, 1, r.get("/v2/playbooks/search?name=exam").at("data", "resultCount"), 0)
	assert.InDelta(t, 0, r.get("/v2/playbooks/search?triggerType=Timer").at("data", "resultCount"), 0)
}
