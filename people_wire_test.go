package threatconnect_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

// peopleRefused checks that an error is a refusal before sending, of a field, that does not hold the value.
func peopleRefused(t *testing.T, err error, field, value string) {
	t.Helper()
	var v *threatconnect.ValidationError
	require.ErrorAs(t, err, &v)
	assert.Equal(t, field, v.Field)
	if value != "" {
		assert.NotContains(t, err.Error(), value)
	}
}
