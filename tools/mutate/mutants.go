package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// mutant is a file of a package that is changed in one place.
type mutant struct {
	pkg    *packages.Package
	file   int // index in the files of the package
	line   int
	key    string // identifies the mutant when lines move
	source string
}

// load returns the mutants of packages, which are named from the folder root. Some do not compile.
func load(root string, patterns []string) ([]mutant, error) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Dir: root}, patterns...)
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, p := range pkgs {
		if len(p.Errors) > 0 {
			return nil, fmt.Errorf("%s: %w", p.PkgPath, p.Errors[0])
		}
		folder, err := filepath.Rel(root, p.Dir)
		if err != nil {
			return nil, err
		}
		for i, f := range p.Syntax {
			src, err := os.ReadFile(p.CompiledGoFiles[i])
			if err != nil {
				return nil, err
			}
			for _, d := range f.Decls {
				place := filepath.ToSlash(folder)
				if fn, ok := d.(*ast.FuncDecl); ok {
					place += " " + fn.Name.Name
					if fn.Recv != nil {
						place += " of " + types.ExprString(fn.Recv.List[0].Type)
					}
				}
				s := site{pkg: p, file: i, src: string(src), place: place}
				ast.Inspect(d, s.visit)
				all = append(all, s.found...)
			}
		}
	}
	count := map[string]int{}
	for i, m := range all {
		if count[m.key]++; count[m.key] > 1 {
			all[i].key += fmt.Sprintf(" (%d)", count[m.key])
		}
	}
	return all, nil
}

// site collects the mutants of a declaration.
type site struct {
	pkg   *packages.Package
	file  int
	src   string
	place string // package and function
	post  ast.Stmt
	found []mutant
}

// swaps maps operators, keywords and names to their replacements.
var swaps = map[string]string{
	"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&",
	"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "&": "|", "|": "&", "<<": ">>", ">>": "<<",
	"+=": "-=", "-=": "+=", "++": "--", "--": "++", "break": "continue", "continue": "break",
	"true": "false", "false": "true", "min": "max", "max": "min",
}

// visit adds the mutants of a node, and reports whether there are some below it.
func (s *site) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec, *ast.ArrayType:
		return false
	case *ast.CallExpr:
		return s.of(n.Fun) != "make" // its arguments mostly allocate in advance
	case *ast.IfStmt:
		s.change("never", n.Cond, "false && ("+s.of(n.Cond)+")")
		s.change("always", n.Cond, "true || ("+s.of(n.Cond)+")")
	case *ast.ForStmt:
		s.post = n.Post
		if n.Cond != nil {
			s.change("never", n.Cond, "false && ("+s.of(n.Cond)+")")
		}
	case *ast.BinaryExpr:
		s.swap(n.OpPos, n.Op.String())
		if n.Op == token.LAND || n.Op == token.LOR {
			s.change("operand", n, s.of(n.X))
			s.change("operand", n, s.of(n.Y))
		}
	case *ast.BasicLit:
		if n.Kind == token.INT || n.Kind == token.CHAR {
			s.change("constant", n, "("+n.Value+" + 1)")
			s.change("constant", n, "("+n.Value+" - 1)")
		}
	case *ast.Ident:
		s.swap(n.Pos(), n.Name)
	case *ast.BranchStmt:
		s.swap(n.TokPos, n.Tok.String())
	case *ast.AssignStmt:
		s.swap(n.TokPos, n.Tok.String())
		if n.Tok != token.DEFINE {
			s.change("delete", n, "")
		}
	case *ast.IncDecStmt:
		if s.post == n {
			return true // the loop would not end
		}
		s.swap(n.TokPos, n.Tok.String())
		s.change("delete", n, "")
	case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt:
		s.change("delete", n, "")
	case *ast.ReturnStmt:
		for _, result := range n.Results {
			is := s.of(result)
			if v := s.pkg.TypesInfo.Types[result].Value; v != nil {
				is = v.ExactString()
			}
			for _, zero := range []string{"nil", "0", `""`, "false"} { // one of them has the type
				if is != zero && swaps[is] != zero {
					s.change("zero", result, zero)
				}
			}
		}
	}
	return true
}

func (s *site) of(n ast.Node) string { return s.src[s.offset(n.Pos()):s.offset(n.End())] }

func (s *site) offset(p token.Pos) int { return s.pkg.Fset.Position(p).Offset }

func (s *site) swap(at token.Pos, old string) {
	if text := swaps[old]; text != "" {
		s.add("swap", s.offset(at), s.offset(at)+len(old), text)
	}
}

func (s *site) change(kind string, n ast.Node, text string) {
	s.add(kind, s.offset(n.Pos()), s.offset(n.End()), text)
}

// add adds a mutant. Its key contains the changed lines, before and after.
func (s *site) add(kind string, from, to int, text string) {
	begin := strings.LastIndexByte(s.src[:from], '\n') + 1
	rest, _, _ := strings.Cut(s.src[to:], "\n")
	key := fmt.Sprintf("%s: %s: %s -> %s", s.place, kind, s.src[begin:to]+rest, s.src[begin:from]+text+rest)
	s.found = append(s.found, mutant{
		pkg: s.pkg, file: s.file, line: strings.Count(s.src[:from], "\n") + 1,
		key: strings.Join(strings.Fields(key), " "), source: s.src[:from] + text + s.src[to:],
	})
}

// compiles reports whether the mutated package type-checks.
func (m *mutant) compiles() bool {
	f, err := parser.ParseFile(m.pkg.Fset, m.pkg.CompiledGoFiles[m.file], m.source, parser.SkipObjectResolution)
	if err != nil {
		return false
	}
	files := slices.Clone(m.pkg.Syntax)
	files[m.file] = f
	conf := types.Config{Importer: imports(m.pkg.Types.Imports()), Sizes: m.pkg.TypesSizes}
	_, err = conf.Check(m.pkg.PkgPath, m.pkg.Fset, files, nil)
	return err == nil
}

// imports is a [types.Importer].
type imports []*types.Package

func (i imports) Import(path string) (*types.Package, error) {
	for _, p := range append(i, types.Unsafe) {
		if p.Path() == path {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s is not imported", path)
}
