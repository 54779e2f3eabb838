package importer

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func FuzzLineIndex(f *testing.F) {
	f.Add([]byte{1, 1, 1})
	f.Add([]byte{5, 1, 0, 0, 3, 1})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var x lineIndex
		var want []int
		line := 0
		for _, s := range steps {
			line += int(s)
			want = append(want, line)
			x.add(line)
		}
		for seq, line := range want {
			assert.Equal(t, line, x.line(int64(seq)))
		}
		assert.Zero(t, x.line(-1))
		assert.Zero(t, x.line(int64(len(want))))
	})
}

func TestAFeedWithoutGapsCostsNothing(t *testing.T) {
	t.Parallel()
	var x lineIndex
	for line := range 100_000 {
		x.add(line + 1)
	}
	assert.Empty(t, x.gaps)
	assert.Equal(t, 77_777, x.line(77_776))
}

func TestAPipeGivesWhatComesAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 50_000)
	b, err := io.ReadAll(newPipe(t.Context(), strings.NewReader(text)))
	require.NoError(t, err)
	assert.Equal(t, text, string(b))

	ctx, stop := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	p := newPipe(ctx, r)
	why := errors.New("why")
	stop(why)
	_, err = p.Read(make([]byte, 1))
	assert.ErrorIs(t, err, why)
}
