package threatconnecttest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Tasks and victims show their security labels when asked, as groups and indicators do.
func TestLabelsOfTasksAndVictims(t *testing.T) {
	t.Parallel()
	w := newWireClient(t)
	for branch, entity := range map[string]string{"tasks": "task", "victims": "victim"} {
		made := w.want(201, line{method: "POST", target: "/api/v2/" + branch, headers: []string{asJSON}, body: `{"name":"Example"}`})
		one := "/api/v2/" + branch + "/" + w.number(made, "data", entity, "id")
		w.want(201, line{method: "POST", target: one + "/securityLabels/TLP%3AGREEN"})
		assert.NotContains(t, w.want(200, line{method: "GET", target: one}).raw, "securityLabel")
		shown := w.want(200, line{method: "GET", target: one + "?includes=labels"})
		assert.Equal(t, "TLP:GREEN", shown.at("data", entity, "securityLabel", 0, "name"))
		list := w.want(200, line{method: "GET", target: "/api/v2/" + branch + "?includes=additional&includes=labels"})
		assert.Equal(t, "TLP:GREEN", list.at("data", entity, 0, "securityLabel", 0, "name"))
	}
}
