// Package feeds reads threat feeds into items of a batch import.
//
//	file, err := os.Open("feed.csv")
//	if err != nil {
//		return err
//	}
//	defer file.Close()
//	feed, err := feeds.Open(file, &feeds.Options{Owner: "Example Source"})
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
// column map ([CSV]) describes other CSV. What each format becomes is described at its constant, such as
// [FormatList]. Feeds of any length are read in bounded memory.
//
// An entry that breaks a rule is left out and reported as a [LineError] with its line and the rule; the rest of
// the feed is still read. The text of an error never contains a value of the feed.
package feeds
