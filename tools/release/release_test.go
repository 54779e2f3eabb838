package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWithoutRoot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"go.mod": {
			"module " + commandModule + "\n\nrequire (\n\texample.com/a v1.0.0\n\t" + rootModule + " v0.1.0\n)\n",
			"module " + commandModule + "\n\nrequire (\n\texample.com/a v1.0.0\n)\n",
		},
		"go.mod with one requirement": {"go 1.26.0\nrequire " + rootModule + " v0.1.0\n", "go 1.26.0\n"},
		"go.sum": {
			"example.com/a v1.0.0 h1:a=\n" + rootModule + " v0.1.0 h1:b=\n" + rootModule + " v0.1.0/go.mod h1:c=\n" + rootModule + "/otel v0.1.0 h1:d=\n",
			"example.com/a v1.0.0 h1:a=\n" + rootModule + "/otel v0.1.0 h1:d=\n",
		},
		"replacement": {"replace " + commandModule + " => ..\n", "replace " + commandModule + " => ..\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tc.want, withoutRoot(tc.text))
		})
	}
}
