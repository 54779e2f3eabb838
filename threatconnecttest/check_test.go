package threatconnecttest

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Check finds each inconsistency in a world with one item of each kind.
func TestCheckFindsInconsistencies(t *testing.T) {
	t.Parallel()
	for says, contradict := range map[string]func(*world){
		`the owner "Example Organization" has the id 2`:   func(w *world) { w.owners[0].ID = 2 },
		`not in the order of their ids`:                   func(w *world) { slices.Reverse(w.owners[0].indicators) },
		`"h.example.com" is in the list of another owner`: func(w *world) { w.owners[0].indicators[0].owner = w.owners[1] },
		`the Host "H.example.com" is not canonical`:       func(w *world) { w.owners[0].rename(w.owners[0].indicators[0], "H.example.com") },
		`the Host "h.example.com" is not found by "h.ex`:  func(w *world) { w.owners[0].unindex(w.owners[0].indicators[0]) },
		`have 3 keys, but 4 are in the index`:             func(w *world) { w.owners[0].byKey[3]["x"] = w.owners[0].indicators[0] },
		`0 indicators of "Example Organization" are del`:  func(w *world) { w.owners[0].removed = 1 },
		`the deleted Host "h.example.com" has a link`:     func(w *world) { w.owners[0].indicators[0].set(flagRemoved, true) },
		`of a Threat was never given out`:                 func(w *world) { w.lastID = 1 },
		`belongs to a Task, too`:                          func(w *world) { w.victims[0].id = w.tasks[0].id },
		`is not found by its id`:                          func(w *world) { clear(w.groupByID) },
		`is not found by its xid "x"`:                     func(w *world) { delete(w.groupByXID, "x") },
		`there are 2 groups, but 3 ids and 2 xids`:        func(w *world) { w.groupByID[1] = w.owners[0].groups[0] },
		`the tag "u" is not found by its name`:            func(w *world) { w.owners[0].tags[0].name = "u"; w.owners[0].tagByName["u"] = nil },
		`has 1 tags, but 2 names of tags`:                 func(w *world) { w.owners[0].tagByName["u"] = nil },
		`the tag "t" is used 1 times, but 2 are counted`:  func(w *world) { w.owners[0].tags[0].uses++ },
		`has the deleted tag "t"`:                         func(w *world) { delete(w.owners[0].tagByName, "t") },
		`has the tag "t" twice`:                           func(w *world) { twice(&w.owners[0].indicators[0].more.tags) },
		`has two labels "TLP:RED"`:                        func(w *world) { w.owners[0].labels[1].Name = "TLP:RED" },
		`has the deleted label "TLP:RED"`:                 func(w *world) { w.owners[0].labels = w.owners[0].labels[1:] },
		`has the label "TLP:RED" twice`:                   func(w *world) { twice(&w.owners[0].indicators[0].more.labels) },
		`displays two attributes of the type Description`: func(w *world) { w.owners[0].indicators[0].more.attributes[0].displayed = true },
		`has 2 values`:                                     func(w *world) { twice(&w.victims[0].assets[0].values) },
		`leaves out a deleted asset`:                       func(w *world) { w.victims[0].assets = nil },
		`with the Threat 1002 of another owner`:            func(w *world) { w.owners[0].groups[0].owner = w.owners[1] },
		`is linked with the deleted Threat 1002`:           func(w *world) { w.owners[0].groups = w.owners[0].groups[1:] },
		`does not know its link with the`:                  func(w *world) { w.owners[0].groups[0].meta.links = linkList{} },
		`do not end with the last one`:                     func(w *world) { w.owners[0].groups[0].meta.links.tail = nil },
		`do not lead back`:                                 func(w *world) { w.owners[0].groups[0].meta.links.tail.prev = [2]*link{} },
		`has a link of others in its list`:                 func(w *world) { w.tasks[0].meta.links = w.owners[0].groups[0].meta.links },
		`has a link twice in its list`:                     func(w *world) { loop(w.owners[0].groups[0]) },
		`is linked with itself`:                            func(w *world) { l := firstLink(w.victims[0]); l.ends = [2]holder{w.victims[0], w.victims[0]} },
		`is linked twice with the`:                         func(w *world) { w.owners[0].indicators[1].more.links.tail.label = "File Drop" },
		`the Threat 1002 is in the list of another owner`:  func(w *world) { w.owners[0].groups[0].owner = w.owners[1] },
		`the job 1 is not found by its id`:                 func(w *world) { clear(w.jobByID) },
		`there are 1 jobs with an id, but 2 ids of jobs`:   func(w *world) { w.jobByID[2] = w.jobs[0] },
		`the job 1 will not be run`:                        func(w *world) { w.jobs[0].status = jobQueued },
		`0 jobs wait for their time, but 1 are to be run`:  func(w *world) { w.dueJobs = w.jobs[:1] },
		`the job 1 is completed, but its content is there`: func(w *world) { w.jobs[0].content = []byte("{}") },
		`the job 1 has 0 errors, but 1 are counted`:        func(w *world) { w.jobs[0].counts.errors = map[string]int{kindGroup: 1} },
		`not in the order in which it is over`:             func(w *world) { w.dueJobs = []*job{{duration: 2}, {duration: 1}} },
		`the tag "t" is in the list of another owner`:      func(w *world) { w.owners[0].tags[0].owner = w.owners[1] },
	} {
		t.Run(says, func(t *testing.T) {
			w := consistentWorld(t)
			contradict(w)
			assert.ErrorContains(t, w.check(), says)
		})
	}
}

func twice[T any](all *[]T) { *all = append(*all, (*all)[0]) }

// loop makes the last link of an item point to the first.
func loop(h holder) {
	tail := h.metadataOrNil().links.tail
	tail.next[tail.side(h)] = firstLink(h)
}

func consistentWorld(t *testing.T) *world {
	w := newWorld()
	o := w.owners[0]
	tag, label := o.tagNamed("t", w), o.label("TLP:RED")
	a, b := w.newGroup(o, groupTypeByName("Threat"), "a", "x", 0), w.newGroup(o, groupTypeByName("Threat"), "b", "", 0)
	var all []*indicator
	for typeName, value := range map[string]string{"Host": "h.example.com"} {
		all = append(all, &indicator{id: w.nextID(), owner: o, typ: w.typeByName(typeName), value: value})
	}
	for _, hash := range []string{"0", "1"} {
		all = append(all, &indicator{id: w.nextID(), owner: o, typ: w.typeByName("File"), value: strings.Repeat(hash, 32)})
	}
	for _, i := range all {
		o.add(i)
		associate(i, a, "")
	}
	all[0].metadata().tag(tag)
	all[0].metadata().addLabel(label)
	for range 2 {
		at := w.newAttribute(w.attributeType("Description"), "v", 0)
		at.displayed = true
		all[0].metadata().addAttribute(at)
	}
	associate(all[1], all[2], "File Drop")
	associate(all[1], all[2], "File Archive")
	associate(a, b, "")
	w.addTask(&task{owner: o})
	v := &victim{owner: o, fields: map[string]string{"name": "v"}}
	w.addVictim(v)
	v.assets = []*asset{{id: w.nextID(), kind: victimAssetKinds[4], values: []string{"http://example.com/"}}}
	associate(a, v, "")
	associatedAs(a, v, "").removeAsset(v.assets[0])
	w.addJob(&job{status: jobCompleted})
	require.NoError(t, w.check())
	return w
}

// Only one file may write each field that must be consistent with others.
func TestDependentFieldsAreWrittenInOneFile(t *testing.T) {
	t.Parallel()
	home := map[string]string{
		"links": "links.go", "head": "links.go", "tail": "links.go", "prev": "links.go", "next": "links.go", "without": "links.go",
		"groupByID": "world.go", "groupByXID": "world.go", "byKey": "world.go", "removed": "world.go", "tagByName": "world.go", "deleted": "world.go",
		"tasks": "world.go", "victims": "world.go", "lastID": "world.go", "jobs": "jobs.go", "jobByID": "jobs.go", "dueJobs": "jobs.go", "uses": "metadata.go",
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "snapshot.go" { // copies every field
			continue
		}
		set := gotoken.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		written := func(e ast.Expr) {
			for {
				index, ok := e.(*ast.IndexExpr)
				if !ok {
					break
				}
				e = index.X
			}
			if s, ok := e.(*ast.SelectorExpr); ok && home[s.Sel.Name] != "" {
				seen[s.Sel.Name] = true
				assert.Equal(t, home[s.Sel.Name], name, "%s writes %s", set.Position(s.Pos()), s.Sel.Name)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					written(e)
				}
			case *ast.IncDecStmt:
				written(n.X)
			case *ast.UnaryExpr:
				if n.Op == gotoken.AND {
					written(n.X)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") {
					written(n.Args[0])
				}
			}
			return true
		})
	}
	assert.Len(t, seen, len(home), "fields that are never written need no rule: %v", seen)
}
