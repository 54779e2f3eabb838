// Package extract is the subcommand that finds indicators in text.
package extract

import (
	"bufio"
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
	"github.com/threatconnect-go/threatconnect/ioc"
)

const description = `
extract reads files or standard input, and writes each indicator once, in canonical form, one per line. It finds addresses, blocks of addresses, hosts, URLs, email addresses, hashes of files and AS numbers, defanged or not. --type cve finds CVE IDs, which are not indicators on the platform.

The input is UTF-8 text: prose, HTML, CSV, JSON, logs or source code. Convert PDF and office documents to text first, for example with pdftotext.

extract does not decide whether a value is malicious. --public leaves out values that mean nothing to others: private, reserved and documentation addresses, names that are never delegated, and empty files. --exclude leaves out the values on a list, and those of --public. A list has one value per line. A host excludes all names below it, and an address or block everything that overlaps it.

Memory use grows with the number of different values, except with --all.

Exit codes:
  0  all inputs were read, with or without indicators
  1  no input could be read, or the command line is wrong
  3  some inputs could not be read to their end
`

// command contains the flags and the results.
type command struct {
	env     *cli.Env
	types   map[ioc.Type]bool // to find; nil finds all but vulnerabilities
	exclude *ioc.Exclusions   // nil excludes nothing
	all     bool
	defang  bool
	json    bool

	out        *bufio.Writer
	isTerminal bool // what out writes to
	array      *cli.JSONArray
	seen       map[indicator]bool
	found      int64
	excluded   map[string]int64 // by reason
	cves       int64
}

// indicator identifies the indicator of a match.
type indicator struct {
	typ   ioc.Type
	value string
}

// element is an indicator in JSON.
type element struct {
	Value    string   `json:"value"` // in canonical form; defanged with --defang
	Type     ioc.Type `json:"type"`
	File     string   `json:"file,omitzero"` // missing for standard input
	Line     int      `json:"line"`          // from 1
	Offset   int64    `json:"offset"`        // bytes before the indicator
	Length   int      `json:"length"`        // bytes that it takes
	Defanged bool     `json:"defanged"`      // in the text
	Port     uint16   `json:"port,omitzero"` // that follows an address or a host
}

// Command returns the subcommand extract.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env: env, seen: map[indicator]bool{}, excluded: map[string]int64{}}
	cmd := &cobra.Command{
		Use:   "extract [flags] [FILE...]",
		Short: "Find indicators in text",
		Long:  description,
		Example: `  threatconnect extract --public report.txt | threatconnect lookup
  threatconnect extract --type url,host < post.html`,
	}
	var types, lists []string
	var public bool
	flags := cmd.Flags()
	flags.StringSliceVar(&types, "type", nil, "find indicators of this `TYPE` only: address, asn, cidr, cve, email, file, host or url; repeatable")
	flags.BoolVar(&public, "public", false, "leave out private, reserved and documentation values")
	flags.StringArrayVar(&lists, "exclude", nil, "leave out the values in this `FILE`, and those of --public; repeatable")
	flags.BoolVar(&c.all, "all", false, "write every occurrence of an indicator")
	flags.BoolVar(&c.defang, "defang", false, "write values defanged, so that programs make no links of them")
	flags.BoolVar(&c.json, "json", false, "write a JSON array with type, file, line and offset of each value")
	cli.MainFlags(cmd, "type", "public", "exclude", "all", "defang", "json")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		if err := c.setTypes(types); err != nil {
			return err
		}
		if public || len(lists) > 0 {
			c.exclude = new(ioc.Exclusions)
		}
		for _, name := range lists {
			if err := cli.AddList(c.exclude, name, name); err != nil {
				return err
			}
		}
		return c.run(cmd.Context(), cmd.CommandPath(), files)
	}
	return cmd
}

func (c *command) setTypes(names []string) error {
	for _, name := range names {
		t, ok := cli.IndicatorType(name)
		if !ok || !slices.Contains(extracted(), t) {
			return cli.UsageError("--type must be address, asn, cidr, cve, email, file, host or url")
		}
		if c.types == nil {
			c.types = map[ioc.Type]bool{}
		}
		c.types[t] = true
	}
	return nil
}

// extracted returns the types that [ioc.Extract] finds.
func extracted() []ioc.Type {
	return []ioc.Type{
		ioc.TypeAddress, ioc.TypeASN, ioc.TypeCIDR, ioc.TypeEmailAddress, ioc.TypeFile, ioc.TypeHost, ioc.TypeURL, ioc.TypeVulnerability,
	}
}

// run reads the inputs and writes their indicators.
func (c *command) run(ctx context.Context, name string, files []string) error {
	c.out, c.isTerminal = bufio.NewWriter(c.env.Stdout), cli.IsTerminal(c.env.Stdout)
	c.array = cli.NewJSONArray(c.out)
	if len(files) == 0 {
		files = []string{"-"}
	}
	if cli.IsTerminal(c.env.Stdin) && slices.Contains(files, "-") {
		c.env.Printf("Reading standard input. End it with Ctrl-D.")
	}
	failed := 0
	for _, file := range files {
		err := c.extractFile(ctx, file)
		if writeErr := c.out.Flush(); writeErr != nil {
			return writeErr
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed++
			if file == "-" {
				file = "standard input"
			}
			c.env.Printf("%s: %s: %s", name, file, cli.Explain(cli.WithoutPath(err)))
		}
	}
	if c.json {
		if err := c.array.End(); err != nil {
			return err
		}
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	c.summarize()
	switch failed {
	case 0:
		return nil
	case len(files):
		return cli.ExitCode(cli.Failure)
	}
	return cli.ExitCode(cli.Partial)
}

// extractFile writes the indicators of one input.
func (c *command) extractFile(ctx context.Context, name string) error {
	text := c.env.Stdin
	if name == "-" {
		name = ""
	} else {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		text = f
	}
	r := cli.Interruptible(ctx, text)
	defer r.Close()
	for match, err := range ioc.Extract(r) {
		if err == nil {
			err = c.add(name, match)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add counts a match and writes it unless it is left out.
func (c *command) add(file string, m ioc.Match) error {
	key := indicator{m.Type, m.Value}
	if c.types != nil && !c.types[m.Type] || !c.all && c.seen[key] {
		return nil
	}
	if !c.all {
		c.seen[key] = true
	}
	if c.types == nil && m.Type == ioc.TypeVulnerability {
		c.cves++
		return nil
	}
	if c.exclude != nil {
		if reason, excluded := c.exclude.Exclude(string(m.Type), m.Value); excluded {
			c.excluded[reason]++
			return nil
		}
	}
	c.found++
	value := m.Value
	if c.defang {
		value = ioc.Defang(value)
	}
	if c.json {
		return c.array.Add(element{
			Value: value, Type: m.Type, File: file, Line: m.Line, Offset: m.Offset, Length: m.Length, Defanged: m.Defanged, Port: m.Port,
		})
	}
	if c.isTerminal {
		value = cli.Clean(value)
	}
	_, err := c.out.WriteString(value + "\n")
	return err
}

// summarize prints the numbers of indicators found and left out.
func (c *command) summarize() {
	c.env.Printf("%s found", cli.Count(c.found, "indicator"))
	for _, reason := range slices.SortedFunc(maps.Keys(c.excluded), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.excluded[b], c.excluded[a]), strings.Compare(a, b))
	}) {
		c.env.Printf("%s left out: %s", cli.Number(c.excluded[reason]), reason)
	}
	if c.cves > 0 {
		c.env.Printf("%s left out; --type cve finds them", cli.Count(c.cves, "CVE ID"))
	}
}
