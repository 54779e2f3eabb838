package main

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListing(t *testing.T) {
	t.Parallel()
	const source = `package p

import "io"

const Limit = 1 << 10
const limit = 1

type Kind string

const KindA Kind = "a"

var ErrGone error
var gone error

func New[T any](first T, more ...Kind) (*Client, error) { return nil, nil }
func hidden() {}

type Client struct {
	Name string
	service
	Meta
	secret string
}

func (c *Client) Do(r io.Reader) error { return nil }
func (c Client) String() string        { return "" }
func (c *Client) hidden()              {}

type service struct{ Shared int }

func (s *service) Call() {}

type Meta struct{ ID int64 }

func (m Meta) Ref() int64 { return 0 }

type List[T Ref] struct{ Items []T }

func (l *List[T]) First() T { return l.Items[0] }

type Ref interface {
	Ref() int64
	ref()
}

type Number interface{ ~int | ~int64 }
type Func func(k Kind) error
type Alias = Kind
type private struct{ Public int }
`
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "p.go", source, 0)
	require.NoError(t, err)
	config := types.Config{Importer: importer.ForCompiler(files, "source", nil)}
	pkg, err := config.Check("example.com/p", files, []*ast.File{file}, nil)
	require.NoError(t, err)

	assert.Equal(t, []string{
		`const KindA Kind = "a"`,
		`const Limit untyped int = 1024`,
		`func New[T any](first T, more ...Kind) (*Client, error)`,
		`type Alias = Kind`,
		`type Client struct`,
		`type Client, embedded Meta`,
		`type Client, field Name string`,
		`type Client, field Shared int`,
		`type Client, method (*Client) Call()`,
		`type Client, method (*Client) Do(r io.Reader) error`,
		`type Client, method (Client) String() string`,
		`type Client, unexported fields`,
		`type Func func(k Kind) error`,
		`type Kind string`,
		`type List[T Ref] struct`,
		`type List[T Ref], field Items []T`,
		`type List[T Ref], method (*List) First() T`,
		`type Meta struct`,
		`type Meta, field ID int64`,
		`type Meta, method (Meta) Ref() int64`,
		`type Number interface{~int | ~int64}`,
		`type Ref interface`,
		`type Ref, method Ref() int64`,
		`type Ref, unexported methods`,
		`var ErrGone error`,
	}, listing(pkg))
	assert.Equal(t, 12, exportedNames(pkg))
}

// repository is a Git repository with a module that has the packages example.com/p and example.com/p/sub.
type repository struct {
	t   *testing.T
	dir string
}

// newRepository returns a repository in which the listings of the API are up to date and committed.
func newRepository(t *testing.T) repository {
	t.Helper()
	r := repository{t, t.TempDir()}
	r.replace("go.mod", "module example.com/p\n\ngo 1.26.0\n")
	r.replace("p.go", "package p\n\nfunc Get(id int) {}\n\nfunc Do() {}\n")
	r.replace("sub/sub.go", "package sub\n\nfunc New() {}\n")
	r.replace("internal/in/in.go", "package in\n\nfunc Hidden() {}\n")
	r.replace("cmd/main.go", "package main\n\nfunc main() {}\n")
	r.git("init", "-q")
	r.commit()
	require.NoError(t, run(r.dir, 2, true))
	r.commit()
	return r
}

func (r repository) replace(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	require.NoError(r.t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(r.t, os.WriteFile(file, []byte(text), 0o600))
}

func (r repository) git(args ...string) {
	r.t.Helper()
	_, err := git(r.dir, args...)
	require.NoError(r.t, err)
}

func (r repository) commit() {
	r.t.Helper()
	r.git("add", ".")
	r.git("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgSign=false", "commit", "-q", "-m", "Test")
}

func TestListingsMatchAPI(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	files, err := filepath.Glob(filepath.Join(r.dir, "api", "*"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(r.dir, "api", "root.txt"), filepath.Join(r.dir, "api", "sub.txt")}, files)
	require.NoError(t, run(r.dir, 2, false))
	require.ErrorContains(t, run(r.dir, 1, false), "has 2 exported names, but its budget is 1")

	r.replace("p.go", "package p\n\nfunc Get(id string) {}\n\nfunc Do() {}\n")
	require.EqualError(t, run(r.dir, 2, false), "the exported API and the files of the folder api differ:\n"+
		"api/root.txt\n- func Get(id int)\n+ func Get(id string)\n"+updateHint)
	require.NoError(t, run(r.dir, 2, true))
	require.NoError(t, run(r.dir, 2, false))

	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "sub")))
	require.ErrorContains(t, run(r.dir, 2, false), "api/sub.txt\n- func New()\n")
	require.NoError(t, run(r.dir, 2, true))
	require.NoError(t, run(r.dir, 2, false))

	r.replace("p.go", "package p\n\nfunc Get(id missing) {}\n")
	require.ErrorContains(t, run(r.dir, 2, false), "undefined: missing")
}

func TestIncompatibleChangesNeedChangelogEntry(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	const released = "\n## [0.10.0]\n\n### Removed\n\n- `Get` and `New`.\n"
	r.replace("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n"+released)
	r.commit()
	for _, tag := range []string{"v0.9.0", "v0.10.0"} { // the last release is v0.10.0
		r.git("tag", tag)
	}
	require.NoError(t, run(r.dir, 2, false))

	r.replace("p.go", "package p\n\nfunc Put() {}\n\nfunc Do() {}\n")
	require.NoError(t, os.RemoveAll(filepath.Join(r.dir, "sub")))
	err := run(r.dir, 2, true)
	require.ErrorContains(t, err, "incompatible with v0.10.0, but not in CHANGELOG.md:\nGet: removed\npackage example.com/p/sub: removed\n")
	assert.NotContains(t, err.Error(), "Put", "additions are compatible")

	for name, tc := range map[string]struct {
		entries   string
		announced bool
	}{
		"under another heading": {"### Added\n\n- `Get` and `sub`.\n", false},
		"not as code":           {"### Removed\n\n- Get and sub.\n", false},
		"one of two":            {"### Removed\n\n- `Get`.\n", false},
		"removed":               {"### Removed\n\n- `Client.Get` and the package `sub`.\n", true},
		"changed and removed":   {"### Changed\n\n- `Get(id)` is `Put`.\n\n### Removed\n\n- `sub`.\n", true},
	} {
		r.replace("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n\n"+tc.entries+released)
		err := run(r.dir, 2, false)
		if tc.announced {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, "not in CHANGELOG.md", name)
		}
	}

	r.replace("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n")
	require.ErrorContains(t, run(r.dir, 2, false), "no section for the last release, v0.10.0")
}
