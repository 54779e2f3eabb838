// Command api compares the exported API of the root module and of the module otel with the files in the folder
// api, one for each public package. It fails if they differ, if the root package has more exported names than
// its budget, and if an incompatible change since the last release is not in CHANGELOG.md.
//
//	go -C tools run ./api            check
//	go -C tools run ./api -update    write the files in the folder api
package main

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/exp/apidiff"
	"golang.org/x/tools/go/packages"
)

// budget is the maximum number of exported names of the root package, without fields and methods. The goal is
// 450. 198 of the names are constants of the platform's vocabulary, such as types, states and codes.
const budget = 539

const updateHint = "to accept the change, run: go -C tools run ./api -update"

func main() {
	update := flag.Bool("update", false, "write the files of the folder api")
	flag.Parse()
	if err := run("..", budget, *update); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// run checks the module in the folder root, or writes its listings.
func run(root string, budget int, update bool) error {
	module, err := load(root)
	if err != nil {
		return err
	}
	listings := map[string]string{}
	var problems []error
	for _, pkg := range module.Packages {
		name := strings.TrimPrefix(strings.TrimPrefix(pkg.Path(), module.Path), "/")
		if name == "" {
			name = "root"
			if n := exportedNames(pkg); n > budget {
				problems = append(problems, fmt.Errorf("the root package has %d exported names, but its budget is %d: "+
					"unexport or move some, or raise the budget in tools/api and explain it in the commit", n, budget))
			}
		}
		listings[strings.ReplaceAll(name, "/", "_")+".txt"] = strings.Join(listing(pkg), "\n") + "\n"
	}
	folder := filepath.Join(root, "api")
	if update {
		problems = append(problems, write(folder, listings))
	} else {
		problems = append(problems, compare(folder, listings))
	}
	return errors.Join(append(problems, checkRelease(root, module))...)
}

// load returns the public packages of the module in a folder, without commands, and those of the module otel in
// it. The first are loaded without a go.work file, so that dependencies have the versions of the module's own
// go.mod. The module otel requires a version of the root that may not be published, so it needs the file.
func load(root string) (*apidiff.Module, error) {
	module := &apidiff.Module{}
	if err := loadInto(module, root, "GOWORK=off"); err != nil {
		return nil, err
	}
	nested := filepath.Join(root, "otel")
	if _, err := os.Stat(filepath.Join(nested, "go.mod")); errors.Is(err, os.ErrNotExist) {
		return module, nil
	}
	return module, loadInto(module, nested)
}

// loadInto adds the public packages of the module in a folder to another module.
func loadInto(module *apidiff.Module, folder string, env ...string) error {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedModule,
		Dir:  folder,
		Env:  append(os.Environ(), env...),
	}, "./...")
	if err != nil {
		return err
	}
	for _, p := range loaded {
		for _, err := range p.Errors {
			return err
		}
		if module.Path == "" {
			module.Path = p.Module.Path
		}
		if p.Name != "main" && !slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			module.Packages = append(module.Packages, p.Types)
		}
	}
	return nil
}

// write replaces the files of a folder by the listings.
func write(folder string, listings map[string]string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for name, text := range listings {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare returns an error that shows the lines in which the files of a folder and the listings differ.
func compare(folder string, listings map[string]string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	accepted := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		accepted[filepath.Base(file)] = string(text)
	}
	names := slices.Concat(slices.Collect(maps.Keys(accepted)), slices.Collect(maps.Keys(listings)))
	slices.Sort(names)
	var diff strings.Builder
	for _, name := range slices.Compact(names) {
		if accepted[name] == listings[name] {
			continue
		}
		fmt.Fprintf(&diff, "api/%s\n", name)
		removed, added := lines(accepted[name]), lines(listings[name])
		for _, line := range slices.Sorted(maps.Keys(removed)) {
			if !added[line] {
				fmt.Fprintf(&diff, "- %s\n", line)
			}
		}
		for _, line := range slices.Sorted(maps.Keys(added)) {
			if !removed[line] {
				fmt.Fprintf(&diff, "+ %s\n", line)
			}
		}
	}
	if diff.Len() == 0 {
		return nil
	}
	return fmt.Errorf("the exported API and the files of the folder api differ:\n%s%s", diff.String(), updateHint)
}

func lines(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[strings.TrimSuffix(line, "\n")] = true
	}
	return set
}

// checkRelease returns an error that names the incompatible changes since the last release that
// CHANGELOG.md does not announce. A change is announced if an entry under "Changed" or "Removed",
// above the heading of that release, has the name of what changed between backquotes. Without a
// release, nothing is incompatible.
func checkRelease(root string, module *apidiff.Module) error {
	tags, err := git(root, "tag", "--list", "v[0-9]*", "--merged", "HEAD", "--sort=-version:refname")
	if err != nil || tags == "" {
		return err
	}
	tag, _, _ := strings.Cut(tags, "\n")
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	unreleased, _, found := strings.Cut(string(changelog), "\n## ["+strings.TrimPrefix(tag, "v")+"]")
	if !found {
		return fmt.Errorf("CHANGELOG.md has no section for the last release, %s: add one", tag)
	}

	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := git(root, "-c", "advice.detachedHead=false", "clone", "--quiet", "--branch", tag, ".", dir); err != nil {
		return err
	}
	released, err := load(dir)
	if err != nil {
		return fmt.Errorf("load %s: %w", tag, err)
	}

	announced := announcements(unreleased)
	var missing []string
	for _, change := range apidiff.ModuleChanges(released, module).Changes {
		if !change.Compatible && !announced[changedName(change.Message)] {
			missing = append(missing, change.Message+"\n")
		}
	}
	if missing == nil {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("incompatible with %s, but not in CHANGELOG.md:\n%s"+
		"undo the change, or add its name, between backquotes, to CHANGELOG.md under \"Changed\" or \"Removed\"", tag, strings.Join(missing, ""))
}

var (
	quoted = regexp.MustCompile("`[^`]+`")
	word   = regexp.MustCompile(`\w+`)
)

// announcements returns the words between backquotes under the headings "Changed" and "Removed".
func announcements(changelog string) map[string]bool {
	words := map[string]bool{}
	for _, section := range strings.Split(changelog, "\n### ")[1:] {
		if !strings.HasPrefix(section, "Changed") && !strings.HasPrefix(section, "Removed") {
			continue
		}
		for _, code := range quoted.FindAllString(section, -1) {
			for _, w := range word.FindAllString(code, -1) {
				words[w] = true
			}
		}
	}
	return words
}

// changedName returns the last name in a message of apidiff: "Do" for "(*Client).Do: removed".
func changedName(message string) string {
	subject, _, _ := strings.Cut(message, ": ")
	words := word.FindAllString(subject, -1)
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// git runs git in a folder and returns its output.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
