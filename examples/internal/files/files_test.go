package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTargetFollowsTrustedLinksOnly(t *testing.T) {
	t.Parallel()
	const sticky = fs.ModeSticky
	for _, tc := range []struct {
		name string
		dir  fs.FileMode       // of the directory "dir"
		link map[string]string // names in "dir" and what they refer to
		path string            // what Target is called with
		want string            // empty means that the path is refused
	}{
		{name: "a file", dir: 0o777, path: "dir/file", want: "dir/file"},
		{name: "a file that does not exist", dir: 0o777, path: "dir/new", want: "dir/new"},
		{name: "a link in a directory of one's own", dir: 0o755, link: map[string]string{"link": "../private/file"}, path: "dir/link", want: "private/file"},
		{name: "a link to a file that does not exist", dir: 0o700, link: map[string]string{"link": "new"}, path: "dir/link", want: "dir/new"},
		{name: "a link of one's own in a sticky directory", dir: sticky | 0o777, link: map[string]string{"link": "file"}, path: "dir/link", want: "dir/file"},
		{name: "a link to a link", dir: 0o700, link: map[string]string{"link": "next", "next": "file"}, path: "dir/link", want: "dir/file"},
		{name: "a parent directory that is a link", dir: 0o700, link: map[string]string{"up": "../private/sub", "link": "up/../file"}, path: "dir/link", want: "private/file"},
		{name: "another user's link in a sticky directory", dir: sticky | 0o777, link: map[string]string{"foreign": "../private/file"}, path: "dir/foreign"},
		{name: "another user's link in a directory of one's own", dir: 0o700, link: map[string]string{"foreign": "../private/file"}, path: "dir/foreign"},
		{name: "another user's link behind a link of one's own", dir: 0o700, link: map[string]string{"link": "foreign", "foreign": "../private/file"}, path: "dir/link"},
		{name: "a link that everybody can replace", dir: 0o777, link: map[string]string{"link": "../private/file"}, path: "dir/link"},
		{name: "a link that a group can replace", dir: 0o770, link: map[string]string{"link": "../private/file"}, path: "dir/link"},
		{name: "a link in another user's directory", dir: 0o700, link: map[string]string{"link": "../foreign/link"}, path: "dir/link"},
		{name: "a link to itself", dir: 0o700, link: map[string]string{"link": "link"}, path: "dir/link"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			root, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			at := func(path string) string { return filepath.Join(root, path) }
			for _, dir := range []string{"dir", "private/sub", "foreign"} {
				require.NoError(t, os.MkdirAll(at(dir), 0o700))
			}
			for _, file := range []string{"dir/file", "private/file"} {
				require.NoError(t, os.WriteFile(at(file), nil, 0o600))
			}
			require.NoError(t, os.Symlink("../private/file", at("foreign/link")))
			for name, to := range tc.link {
				require.NoError(t, os.Symlink(to, at("dir/"+name)))
			}
			require.NoError(t, os.Chmod(at("dir"), tc.dir))

			got, err := target(at(tc.path), func(info fs.FileInfo) bool { return info.Name() != "foreign" })
			if tc.want == "" {
				require.ErrorContains(t, err, "name the file that")
				return
			}
			require.NoError(t, err)
			parent, name := filepath.Split(got)
			parent, err = filepath.EvalSymlinks(parent)
			require.NoError(t, err)
			assert.Equal(t, at(tc.want), filepath.Join(parent, name))
		})
	}
}

func TestTargetKnowsWhoseALinkIs(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("file", link))
	require.NoError(t, os.Chmod(filepath.Dir(link), 0o700))
	got, err := Target(link)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(filepath.Dir(link), "file"), got)

	got, err = Target("file")
	require.NoError(t, err)
	assert.Equal(t, "."+string(filepath.Separator)+"file", got, "with a directory")

	_, err = Target(strings.Repeat("x", 1<<16))
	require.Error(t, err, "a path that cannot be looked at")
}
