package main

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect"
)

func TestRun(t *testing.T) {
	t.Parallel()
	const sdk = "SDK v" + threatconnect.Version + "\n"
	installed := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v0.1.0"}}
	clone := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
		{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "7ca5930"}, {Key: "vcs.modified", Value: "false"},
	}}
	modified := &debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "7ca5930"}, {Key: "vcs.modified", Value: "true"},
	}}
	for name, tc := range map[string]struct {
		args           []string
		info           *debug.BuildInfo
		code           int
		stdout, stderr string
	}{
		"no arguments":       {nil, installed, 2, "", usage},
		"help":               {[]string{"-h"}, installed, 0, usage, ""},
		"unknown command":    {[]string{"serve"}, installed, 2, "", "threatconnect: unknown command \"serve\"\n\n" + usage},
		"too many arguments": {[]string{"version", "-v"}, installed, 2, "", usage},
		"installed":          {[]string{"version"}, installed, 0, "threatconnect v0.1.0\n" + sdk + "go1.26.8\n", ""},
		"clone":              {[]string{"version"}, clone, 0, "threatconnect (devel)\n" + sdk + "go1.26.8\nrevision 7ca5930\n", ""},
		"modified clone":     {[]string{"version"}, modified, 0, "threatconnect (devel)\n" + sdk + "go1.26.8\nrevision 7ca5930 (modified)\n", ""},
		"no build info":      {[]string{"version"}, nil, 0, "threatconnect (devel)\n" + sdk + runtime.Version() + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			assert.Equal(t, tc.code, run(tc.args, tc.info, &stdout, &stderr))
			assert.Equal(t, tc.stdout, stdout.String())
			assert.Equal(t, tc.stderr, stderr.String())
		})
	}
}
