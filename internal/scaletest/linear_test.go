package scaletest

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// failure records the message of a failed test.
type failure struct {
	testing.TB
	text string
}

func (*failure) Helper() {}

func (f *failure) Fatalf(format string, args ...any) {
	f.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestRequireLinearRejectsQuadratic(t *testing.T) {
	for _, c := range []struct {
		name string
		took func(n int) time.Duration
		want string
	}{
		{name: "constant", took: func(int) time.Duration { return time.Second }},
		{name: "linear", took: func(n int) time.Duration { return time.Duration(n) * time.Millisecond }},
		{name: "square", took: func(n int) time.Duration { return time.Duration(n*n) * time.Millisecond },
			want: "8 times the input takes 6.4s instead of 100ms: 64.0 times as long, want less than 27.0"},
		{name: "square within the noise", took: func(n int) time.Duration { return time.Duration(n*n) * 10 * time.Nanosecond }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &failure{TB: t}
				done := make(chan struct{})
				go func() {
					defer close(done)
					RequireLinear(f, 10, 8, func(n int) func() { return func() { time.Sleep(c.took(n)) } })
				}()
				<-done
				assert.Equal(t, c.want, f.text)
			})
		})
	}
}

func TestTemporaryLoadIsTolerated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		RequireLinear(t, 10, 8, func(n int) func() {
			return func() {
				took := time.Duration(n) * time.Millisecond
				if n > 10 && time.Since(began) < patience/2 {
					took *= 10
				}
				time.Sleep(took)
			}
		})
	})
}
