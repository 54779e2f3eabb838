package sentence

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEverySentenceIsFound(t *testing.T) {
	t.Parallel()
	for i := range sentences {
		want := &sentences[i]
		text := strings.NewReplacer("@", "Email Address", "#", "25").Replace(want.text)
		for _, form := range []string{text, strings.ToUpper(text), " " + strings.ReplaceAll(text, " ", "\n ") + "."} {
			for _, status := range append([]int{0, 200}, want.statuses...) {
				s, own, whole := Find(form, status)
				require.Same(t, want, s, "%q with %d", form, status)
				assert.True(t, strings.EqualFold(text, own))
				assert.True(t, whole)
				again, _, _ := Find(own, status)
				assert.Same(t, want, again, "own must be found again")
			}
		}
		for _, other := range []string{"x " + text, text + "x", text + " x already exists"} {
			s, _, whole := Find(other, 0)
			assert.False(t, whole, other)
			assert.True(t, s == nil || s.more != "", other)
		}
		s, _, _ := Find(text, 418)
		assert.Nil(t, s, "%q does not come with 418", text)
	}
	for _, none := range []string{"", ".", "The evil already exists", "Please enter a valid Hostx", "File size greater than allowable limit of x", "File size greater than allowable limit of 99999999999999999999"} {
		s, own, _ := Find(none, 0)
		assert.Nil(t, s, none)
		assert.Empty(t, own)
	}
}
