// Package deploy has manifests that run the feed command every day: a CronJob, a systemd timer and a
// container file. The tests check the flags in them and in the documentation against the command.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// cronJob is the part of the manifest that the test checks.
type cronJob struct {
	Kind string `yaml:"kind"`
	Spec struct {
		ConcurrencyPolicy string `yaml:"concurrencyPolicy"`
		JobTemplate       struct {
			Spec struct {
				Template struct {
					Spec struct {
						SecurityContext struct {
							FSGroup             int    `yaml:"fsGroup"`
							FSGroupChangePolicy string `yaml:"fsGroupChangePolicy"`
						} `yaml:"securityContext"`
						Containers []struct {
							Args         []string `yaml:"args"`
							VolumeMounts []struct {
								Name string `yaml:"name"`
							} `yaml:"volumeMounts"`
						} `yaml:"containers"`
						Volumes []struct {
							Name string `yaml:"name"`
						} `yaml:"volumes"`
					} `yaml:"spec"`
				} `yaml:"template"`
			} `yaml:"spec"`
		} `yaml:"jobTemplate"`
	} `yaml:"spec"`
}

func TestManifestsUseFlagsOfTheCommand(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile("cronjob.yaml")
	require.NoError(t, err)
	var job cronJob
	require.NoError(t, yaml.Unmarshal(manifest, &job))
	assert.Equal(t, "CronJob", job.Kind)
	assert.Equal(t, "Forbid", job.Spec.ConcurrencyPolicy)
	pod := job.Spec.JobTemplate.Spec.Template.Spec
	require.NotZero(t, pod.SecurityContext.FSGroup)
	assert.Equal(t, "OnRootMismatch", pod.SecurityContext.FSGroupChangePolicy, "otherwise, the second run cannot use the files of the first")
	require.Len(t, pod.Containers, 1)
	for i, mount := range pod.Containers[0].VolumeMounts {
		assert.Equal(t, pod.Volumes[i].Name, mount.Name)
	}
	unit, err := os.ReadFile("threatconnect-feed.service")
	require.NoError(t, err)

	args := pod.Containers[0].Args
	require.Equal(t, "feed", args[0])
	used := append(flag.FindAllString(strings.Join(args, " "), -1), flag.FindAllString(string(unit), -1)...)
	require.Len(t, used, 11)
	known := flagsOf(t, "feed")
	for _, name := range used {
		assert.Contains(t, known, name)
	}
}

var flag = regexp.MustCompile(`--[a-z][a-z_-]*[a-z]`)

// flagsOf returns the flags in the help of a subcommand.
func flagsOf(t *testing.T, subcommand string) []string {
	t.Helper()
	help, err := exec.CommandContext(t.Context(), "go", "run", "-C", "../../cmd/threatconnect", ".", subcommand, "--help").Output()
	require.NoError(t, err)
	return flag.FindAllString(string(help), -1)
}

// The documentation names only flags of the command. Command lines use only flags of their subcommand.
func TestPagesUseFlagsOfTheCommand(t *testing.T) {
	t.Parallel()
	known := []string{"--help", "--build-arg"}
	flags := map[string][]string{}
	for _, subcommand := range []string{"alert", "changes", "doctor", "extract", "feed", "lookup", "sandbox"} {
		flags[subcommand] = flagsOf(t, subcommand)
		known = append(known, flags[subcommand]...)
	}
	pages := []string{"../../README.md", "../../SECURITY.md", "../README.md"}
	for _, pattern := range []string{"../../docs/*.md", "../../docs/guides/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found)
		pages = append(pages, found...)
	}
	lines := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile("[\\s`](--[a-z][a-z_-]*[a-z])").FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, known, m[1], page)
		}
		joined := strings.ReplaceAll(string(text), "\\\n", " ")
		for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)\n```").FindAllStringSubmatch(joined, -1) {
			for _, m := range regexp.MustCompile(`(?m)(?:^|[ /])threatconnect ([a-z]+)([^|\n]*)`).FindAllStringSubmatch(block[1], -1) {
				lines++
				require.Contains(t, flags, m[1], "%s: %s", page, m[0])
				for _, name := range flag.FindAllString(m[2], -1) {
					assert.Contains(t, flags[m[1]], name, "%s: %s", page, m[0])
				}
			}
		}
	}
	assert.Greater(t, lines, 10)
}

func TestContainerfileInstallsCommand(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Containerfile")
	require.NoError(t, err)
	mod, err := os.ReadFile("../../cmd/threatconnect/go.mod")
	require.NoError(t, err)
	module, _, _ := strings.Cut(strings.TrimPrefix(string(mod), "module "), "\n")
	assert.Contains(t, string(text), module+"@${VERSION}")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(mod))[1]
	assert.Contains(t, string(text), "golang:"+goVersion+" ")
}
