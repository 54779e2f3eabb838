// Package feeds reads threat feeds for batch imports.
//
//	file, err := os.Open("feed.csv")
//	if err != nil {
//		return err
//	}
//	defer file.Close()
//	feed, err := feeds.Open(file, &feeds.Options{Owner: "Example Source", Feed: "example"})
//	if err != nil {
//		return err
//	}
//	items := feed.Items(func(e *feeds.LineError) { log.Print(e) })
//	stats, err := client.Batch.Import(ctx, threatconnect.BatchConfig{
//		Owner:      "Example Source",
//		Attributes: threatconnect.WriteReplace,
//	}, items)
//
// [Open] detects lists, the CSV of URLhaus, Feodo Tracker and ThreatFox, JSON lines, and STIX 2.0 and 2.1. Other CSV
// needs a column map ([CSV]). The documentation of each [Format] describes the mapping of its entries. Feeds of any
// length are read in bounded memory.
//
// A program that runs regularly downloads the feed with a [Fetcher], which transfers nothing if the feed has not
// changed. It keeps a [State], so that it imports only changed items. The "Daily" example shows both.
//
// An entry that breaks a rule is left out and reported as a [LineError] with its line and the rule. The rest of the
// feed is still read. Error texts never contain values from the feed.
package feeds
