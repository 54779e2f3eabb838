// Command release publishes the committed files to a module proxy in a temporary folder, as a release
// does, and uses them from there: it builds programs outside the repository that import the packages, and
// installs the command. It fails if the go.mod or go.sum file of a module that requires the root is not tidy,
// or if importers depend on modules that are not allowed.
//
//	go -C tools run ./release                 checks the commit that is checked out
//	go -C tools run ./release -sums v0.2.0    prints the checksums of its modules under a version, as in go.sum
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const (
	rootModule    = "github.com/threatconnect-go/threatconnect"
	commandModule = rootModule + "/cmd/threatconnect"
	otelModule    = rootModule + "/otel"

	// version is one that is never released, so that no proxy has another module of this name.
	version = "v0.999.0"
)

// consumers are programs that import the packages of a module, and the other modules that they depend on.
var consumers = []struct {
	module       string
	program      string
	dependencies []string
}{
	{rootModule, rootConsumer, []string{"github.com/google/go-querystring", "golang.org/x/net", "golang.org/x/text"}},
	{otelModule, otelConsumer, []string{
		"github.com/cespare/xxhash/v2", "github.com/go-logr/logr", "github.com/go-logr/stdr", "github.com/google/go-querystring",
		"go.opentelemetry.io/auto/sdk", "go.opentelemetry.io/otel", "go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/trace",
		"golang.org/x/net", "golang.org/x/text",
	}},
}

const rootConsumer = `package main

import (
	"fmt"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/ioc"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

func main() {
	fmt.Println(threatconnect.Version, feeds.Formats(), ioc.Defang("evil.example"), threatconnecttest.New().BaseURL())
}
`

const otelConsumer = `package main

import (
	"fmt"

	"github.com/threatconnect-go/threatconnect/otel"
)

func main() {
	fmt.Println(otel.NewObserver())
}
`

func main() {
	sums := flag.String("sums", "", "print the checksums of the modules under this version")
	flag.Parse()
	check := run
	if *sums != "" {
		check = func(repository string) error { return printSums(os.Stdout, repository, *sums) }
	}
	if err := check(".."); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run checks the commit that is checked out in the repository that a folder belongs to.
func run(repository string) (err error) {
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	source, err := clone(repository, work)
	if err != nil {
		return err
	}
	proxy, bin := filepath.Join(work, "proxy"), filepath.Join(work, "bin")

	// Modules come from the temporary proxy, then from the module cache, then from where this machine
	// gets them. They go into a temporary module cache, because the module cache must never get a
	// release that is none.
	settings, err := command(repository, nil, "go", "env", "GOMODCACHE", "GOPROXY")
	if err != nil {
		return err
	}
	modcache, proxies, _ := strings.Cut(settings, "\n")
	env := []string{
		"GOPROXY=file://" + filepath.ToSlash(proxy) + ",file://" + filepath.ToSlash(modcache) + "/cache/download," + proxies,
		"GOMODCACHE=" + filepath.Join(work, "modcache"),
		"GONOSUMDB=" + rootModule, // the checksum database does not know the version
		"GOFLAGS=-modcacherw",
		"GOWORK=off",
		"GOBIN=" + bin,
	}

	if err := publish(proxy, rootModule, source); err != nil {
		return err
	}
	for _, path := range []string{otelModule, commandModule} {
		folder := filepath.Join(source, filepath.FromSlash(strings.TrimPrefix(path, rootModule+"/")))
		if err := tidy(folder, env); err != nil {
			return err
		}
		if err := publish(proxy, path, folder); err != nil {
			return err
		}
	}
	for _, c := range consumers {
		if err := checkConsumer(filepath.Join(work, "consumer", filepath.Base(c.module)), source, c.module, c.program, c.dependencies, env); err != nil {
			return err
		}
	}
	if _, err := command(work, env, "go", "install", commandModule+"@"+version); err != nil {
		return err
	}
	out, err := command(work, nil, filepath.Join(bin, "threatconnect"), "version")
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(out, "\n"); first != "threatconnect "+version {
		return fmt.Errorf("the installed command prints %q as its version, and not %q", first, "threatconnect "+version)
	}
	sample, err := command(work, []string{"TC_BASE_URL=", "TC_ACCESS_ID=", "TC_SECRET_KEY=", "TC_TOKEN="}, filepath.Join(bin, "threatconnect"), "feed")
	if err != nil {
		return err
	}
	fmt.Printf("go install %s@%s works, and prints:\n%s\n%s\n", commandModule, version, out, sample[strings.LastIndexByte(sample, '\n')+1:])
	return nil
}

// clone clones the repository that a folder belongs to and returns the folder of the clone.
func clone(repository, work string) (string, error) {
	top, err := command(repository, nil, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return "", err
	}
	source := filepath.Join(work, "source")
	_, err = command(work, nil, "git", "clone", "--quiet", top, source)
	return source, err
}

// publish adds a module to a proxy.
func publish(proxy, path, folder string) error {
	dir := filepath.Join(proxy, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": time.Unix(0, 0).UTC()})
	if err != nil {
		return err
	}
	for suffix, text := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": info, version + ".mod": mod} {
		if err := os.WriteFile(filepath.Join(dir, suffix), text, 0o600); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(dir, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromDir(f, module.Version{Path: path, Version: version}, folder), f.Close())
}

// checkConsumer builds a program outside the repository that imports a module, and prints the modules that it
// depends on. It returns an error if these differ from the ones that are wanted.
func checkConsumer(dir, source, path, program string, want []string, env []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var sums strings.Builder // the checksums of the dependencies, which are verified
	for _, folder := range []string{"", strings.TrimPrefix(path, rootModule)} {
		text, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(folder), "go.sum"))
		if err != nil {
			return err
		}
		sums.WriteString(withoutRoot(string(text)))
	}
	for name, text := range map[string]string{
		"main.go": program,
		"go.mod":  "module consumer\n\ngo 1.26.0\n\nrequire " + path + " " + version + "\n",
		"go.sum":  sums.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if _, err := command(dir, env, "go", "mod", "tidy"); err != nil {
		return err
	}
	if _, err := command(dir, env, "go", "build", "-o", os.DevNull, "."); err != nil {
		return err
	}
	out, err := command(dir, env, "go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".")
	if err != nil {
		return err
	}
	got := slices.Compact(slices.Sorted(slices.Values(strings.Fields(out))))
	got = slices.DeleteFunc(got, func(m string) bool { return m == rootModule || m == path })
	if !slices.Equal(got, want) {
		return fmt.Errorf("importers of %s depend on the modules %v, and not on %v", path, got, want)
	}
	fmt.Printf("importers of %s depend on %d other modules: %s\n", path, len(got), strings.Join(got, ", "))
	return nil
}

// tidy makes a module require the published version of the root module, and tidies it. It returns an error if
// that changes more than the lines about the root module.
func tidy(dir string, env []string) error {
	files := []string{filepath.Join(dir, "go.mod"), filepath.Join(dir, "go.sum")}
	var before []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		before = append(before, withoutRoot(string(text)))
	}
	if err := os.WriteFile(files[1], []byte(before[1]), 0o600); err != nil {
		return err
	}
	if _, err := command(dir, env, "go", "mod", "edit", "-require="+rootModule+"@"+version); err != nil {
		return err
	}
	if _, err := command(dir, env, "go", "mod", "tidy"); err != nil {
		return err
	}
	for i, file := range files {
		after, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if text := withoutRoot(string(after)); text != before[i] {
			return fmt.Errorf("%s/%s is not tidy: replace it, except the lines about %s, by\n%s",
				filepath.Base(dir), filepath.Base(file), rootModule, text)
		}
	}
	return nil
}

// withoutRoot returns a go.mod or go.sum file without the lines about the root module.
func withoutRoot(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); !slices.Contains(fields[:min(2, len(fields))], rootModule) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// command runs a command in a folder and returns what it prints on standard output.
func command(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
