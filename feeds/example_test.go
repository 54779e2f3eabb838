package feeds_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// Open a feed, import it, and report the entries that are left out.
func Example() {
	client := threatconnecttest.New().Client()
	input := strings.NewReader(`# blocked this week
hxxps://login[.]bad.example/update
198.51.100.7
not an indicator
`)
	feed, err := feeds.Open(input, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	items := feed.Items(func(e *feeds.LineError) { fmt.Println(e) })
	stats, err := client.Batch.Import(context.Background(), threatconnect.BatchConfig{
		Owner:      "Example Source",
		Attributes: threatconnect.WriteReplace,
	}, items)
	fmt.Println(feed.Format(), stats.Indicators.Succeeded, err)
	// Output:
	// line 4: indicator is not recognized as an address, block, host, URL, email address, hash, ASN or registry key; use a Mutex, UserAgent or another type by name if it is one
	// list 2 <nil>
}

// A column map describes the CSV of any feed.
func ExampleParseColumns() {
	columns, err := feeds.ParseColumns("url=value:URL,severity=rating,seen=firstSeen,labels=tags:;,family=group:Malware")
	if err != nil {
		fmt.Println(err)
		return
	}
	columns.Columns[1].Values = map[string]string{"high": "4", "low": "1"}
	feed, err := feeds.Open(strings.NewReader(`seen,url,severity,labels,family,comment
2026-01-02 03:04:05,http://bad.example/a,high,loader;windows,Example Loader,"new, verified"
2026-01-03 08:00:00,http://bad.example/b,medium,loader,Example Loader,
`), &feeds.Options{Format: feeds.FormatCSV, CSV: columns, Owner: "Example Source", Feed: "example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for entry, err := range feed.All() {
		switch item := entry.Item.(type) {
		case threatconnect.Group:
			fmt.Println(entry.Line, item.Type(), item.Meta().Name)
		case threatconnect.Indicator:
			fmt.Println(entry.Line, item.Type(), item.Summary(), *item.Meta().Rating, item.Meta().Tags[0].Name)
		default:
			fmt.Println(err)
		}
	}
	// Output:
	// 2 Malware Example Loader
	// 2 URL http://bad.example/a 4 loader
	// line 3: column "severity" must be a number from 0 to 5
}

// A preset is a column map that can be extended, here with a column that becomes an attribute.
func ExampleURLhaus() {
	columns := feeds.URLhaus()
	columns.Columns = append(columns.Columns, feeds.Column{Name: "id", Field: feeds.FieldAttribute, Type: "External ID"})
	feed, err := feeds.Open(strings.NewReader(`# id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter
"7","2026-01-02 03:04:05","http://bad.example/a","online","","malware_download","None","https://feed.example/7/","someone"
`), &feeds.Options{Owner: "Example Source", Feed: "urlhaus", CSV: &columns})
	if err != nil {
		fmt.Println(err)
		return
	}
	for entry, err := range feed.All() {
		if ind, ok := entry.Item.(threatconnect.Indicator); ok && err == nil {
			for _, a := range ind.Meta().Attributes {
				fmt.Printf("%s: %s\n", a.Type, a.Value)
			}
		}
	}
	// Output:
	// Source: https://feed.example/7/
	// External ID: 7
	// Description: Threat: malware_download. Status: online.
}
