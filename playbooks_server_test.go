package threatconnect_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func TestPlaybooksAgainstTheServer(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]threatconnecttest.Oddity{"as usual": 0, "with every oddity": threatconnecttest.OddityAll} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := threatconnecttest.NewT(t, threatconnecttest.WithOddities(odd))
			client := srv.Client()
			none, err := client.Playbooks.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Empty(t, none.Items)

			made, err := client.Playbooks.Import(t.Context(), []byte(`{"name":"Triage","jobList":[]}`))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.PlaybookInactive, made.Status)
			require.NoError(t, client.Playbooks.Activate(t.Context(), made.Ref()))
			got, err := client.Playbooks.Get(t.Context(), fmt.Sprint(made.ID))
			require.NoError(t, err)
			assert.Equal(t, threatconnect.PlaybookActive, got.Status)
			require.NoError(t, client.Playbooks.Deactivate(t.Context(), made.Ref()))
			_, err = client.Playbooks.AddVersion(t.Context(), made.Ref(), []byte(`{"name":"Triage 2"}`))
			require.NoError(t, err)
			var pbx, pack bytes.Buffer
			_, err = client.Playbooks.Export(t.Context(), made.Ref(), "", &pbx)
			require.NoError(t, err)
			assert.JSONEq(t, `{"name":"Triage 2"}`, pbx.String())
			_, err = client.Playbooks.Export(t.Context(), made.Ref(), threatconnect.PlaybookContentPack, &pack)
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(pack.String(), "PK"))

			for n := range 5 {
				require.NoError(t, srv.Seed(&threatconnecttest.Playbook{Name: fmt.Sprintf("Alert %d", n), Status: "Active", TriggerType: "WebHook", Labels: []string{"alerts"}}))
			}
			found, err := threatconnect.Collect(client.Playbooks.All(t.Context(), &threatconnect.PlaybookListOptions{
				ListOptions: threatconnect.ListOptions{Limit: 2}, Name: "alert", Status: threatconnect.PlaybookActive, Labels: []string{"alerts"}, SortOn: "name"}))
			require.NoError(t, err)
			assert.Len(t, found, 5)
			assert.Equal(t, "Alert 4", found[4].Name)
			require.NoError(t, client.Playbooks.Delete(t.Context(), made.Ref()))
			_, err = client.Playbooks.Get(t.Context(), made.Ref())
			require.ErrorIs(t, err, threatconnect.ErrNotFound)
			assert.Len(t, srv.Playbooks(), 5)
		})
	}
}
