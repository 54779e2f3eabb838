package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// axe-core is software of Deque Systems under the Mozilla Public License 2.0. It is downloaded, and is not a part of
// this repository.
const (
	axePackage   = "axe-core@4.14.1"
	axeIntegrity = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==" // SHA-512 of the package
)

// axeSource returns the source text of axe-core: that of a file if one is named, and otherwise from npm.
func axeSource(ctx context.Context, file, work string) (string, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		return string(b), err
	}
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", axePackage)
	cmd.Dir, cmd.Stderr = work, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w: install npm, or name a file with -axe", axePackage, err)
	}
	tgz, err := os.ReadFile(filepath.Join(work, filepath.Base(strings.TrimSpace(string(out)))))
	if err != nil {
		return "", err
	}
	if sum := sha512.Sum512(tgz); base64.StdEncoding.EncodeToString(sum[:]) != axeIntegrity {
		return "", fmt.Errorf("npm brought another %s than the one that this program was written with", axePackage)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(tgz))
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unzipped); ; {
		h, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("axe.min.js in %s: %w", axePackage, err)
		}
		if h.Name == "package/axe.min.js" {
			b, err := io.ReadAll(files)
			return string(b), err
		}
	}
}

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"` // minor, moderate, serious or critical
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
		Target  []any  `json:"target"`
	} `json:"nodes"`
}

func (v violation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s): %s", v.ID, v.Impact, v.Help)
	for _, n := range v.Nodes {
		fmt.Fprintf(&b, "\n        %v %.200s\n        %s", n.Target, n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n        "))
	}
	return b.String()
}

// audit returns the rules that the page breaks as it is now.
func (t *tab) audit(axe string) ([]violation, error) {
	loaded, err := eval[bool](t, `() => typeof axe !== "undefined"`)
	if err == nil && !loaded {
		_, err = eval[bool](t, "() => {"+axe+"\n; return true; }")
	}
	if err != nil {
		return nil, fmt.Errorf("axe-core: %w", err)
	}
	return eval[[]violation](t, `async () => (await axe.run(document, {preload: false, resultTypes: ["violations"]})).violations
		.map(v => ({id: v.id, impact: v.impact, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary, target: n.target}))}))`)
}
