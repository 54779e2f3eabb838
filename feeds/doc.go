// Package feeds reads threat feeds into items of a batch import.
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
// [Open] detects lists, the CSV of URLhaus, Feodo Tracker and ThreatFox, JSON lines, and STIX 2.0 and 2.1. A
// column map ([CSV]) describes other CSV. The constant of each format, such as [FormatList], describes what its
// entries become. Feeds of any length are read in bounded memory.
//
// A program that runs regularly downloads the feed with a [Fetcher], which transfers nothing if the feed has not
// changed, and keeps a [State], so that it imports only the items that have changed. The example "daily" shows both.
//
// An entry that breaks a rule is left out and reported as a [LineError] with its line and the rule; the rest of
// the feed is still read. The text of an error never contains a value of the feed.
package feeds
