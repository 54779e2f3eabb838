// Command feed imports a list of indicators over HTTP, as a job that runs daily. It shows the 13 steps of
// ThreatConnect's sample for feeds, by number.
//
//	go run ./feed --url https://feeds.example/hosts.txt --tc_owner 'Example Source'
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// job is one run of the program.
type job struct {
	url, owner, out string
	rating          float64
	confidence      int
	client          *threatconnect.Client
	log             *slog.Logger
}

func main() {
	j, level := job{}, slog.LevelInfo
	flag.StringVar(&j.url, "url", "", "URL of the feed")
	flag.StringVar(&j.owner, "tc_owner", "", "owner to import into") // 1. the owner
	flag.Float64Var(&j.rating, "rating", 0, "threat rating, 0 to 5") // 2. rating and confidence: 0 unless the user sets them
	flag.IntVar(&j.confidence, "confidence", 0, "confidence, 0 to 100")
	flag.TextVar(&level, "tc_log_level", level, "DEBUG, INFO, WARN or ERROR") // 3. a log with levels
	flag.StringVar(&j.out, "tc_out_path", ".", "directory of message.tc")
	flag.Parse()
	j.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	client, err := threatconnect.NewClientFromEnv(threatconnect.WithUserAgent("acme-feed/1.0"), threatconnect.WithLogger(j.log))
	stats := threatconnect.BatchStats{}
	if j.client = client; err == nil {
		stats, err = j.run(context.Background())
	}
	os.Exit(j.exit(stats, err))
}

// exit writes the exit message and returns the exit code of a job.
func (j *job) exit(stats threatconnect.BatchStats, err error) int { // 4. exit message and exit code
	t := stats.Total()
	code, message := 0, fmt.Sprintf("imported %d of %d items", t.Succeeded, t.Added)
	switch {
	case err != nil && t.Succeeded == 0:
		code, message = 1, fmt.Sprintf("nothing was imported: %.200v", err)
	case err != nil || t.Succeeded < t.Added:
		code = 3
	}
	j.log.Info(message, "exit", code)
	if err := os.WriteFile(j.out+"/message.tc", []byte(message), 0o600); err != nil {
		j.log.Error("the exit message is lost", "error", err)
	}
	return code
}

// run fetches the feed and imports it.
func (j *job) run(ctx context.Context) (stats threatconnect.BatchStats, err error) {
	fetcher := feeds.Fetcher{Client: j.client} // uses the client's proxy and user agent
	download, err := fetcher.Fetch(ctx, j.url, threatconnect.Cursor{})
	if err != nil {
		return stats, err
	}
	defer download.Body.Close()
	feed, err := feeds.Open(download.Body, &feeds.Options{Owner: j.owner, Feed: j.url})
	if err != nil {
		return stats, err
	}
	return j.client.Batch.Import(ctx, threatconnect.BatchConfig{ // 9. submit everything in batch jobs
		Owner: j.owner, Attributes: threatconnect.WriteSingleton,
		OnError: func(e threatconnect.BatchItemError) { // 10. errors of the batch
			j.log.Error("refused", "item", e.Seq, "code", e.Code, "fatal", e.Fatal(), "error", e.Err)
		},
	}, func(yield func(threatconnect.BatchItem, error) bool) {
		now := time.Now().UTC() // 5. the time in UTC, sent as ISO 8601
		day := now.Format(time.DateOnly)
		description := []threatconnect.Attribute{{Type: "Description", Value: "Listed on " + day, Displayed: new(true)}}
		group := threatconnect.NewIncident("Hosts of "+day, now) // 7. a group
		group.XID = threatconnect.XID(j.owner, j.url, day)       // 6. an ID by which the next run finds it
		group.Attributes = description                           // 8. an attribute of the group
		ok := yield(group, nil)
		for item, err := range feed.Items(func(e *feeds.LineError) { j.log.Warn("left out", "line", e.Line, "rule", e.Rule) }) {
			if indicator, is := item.(threatconnect.Indicator); is { // 11. an indicator
				m := indicator.Meta()
				m.Rating, m.Confidence = &j.rating, &j.confidence
				m.Attributes = description        // 12. an attribute of the indicator
				m.GroupXIDs = []string{group.XID} // 13. its association with the group
			}
			if ok = ok && yield(item, err); !ok {
				return
			}
		}
	})
}
