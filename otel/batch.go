package otel

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/threatconnect-go/threatconnect"
)

// OnEvent returns a function for [threatconnect.BatchConfig.OnEvent] that records the items and jobs of one import,
// and then calls next unless that is nil. Use a function for one import only. OnEvent returns the same errors as
// [NewObserver].
//
// Items are counted by their kind (indicator, group or association) and outcome (succeeded, failed, unprocessed,
// unknown or excluded; the last for indicators only). The outcomes in the first event are not counted, because an
// earlier process of the import has counted them, and neither are outcomes after the last event. Jobs that an earlier
// process uploaded have no duration.
func OnEvent(next func(threatconnect.BatchEvent), opts ...Option) (func(threatconnect.BatchEvent), error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	i := instruments{meter: c.meter()}
	b := &batch{
		items:    i.count("threatconnect.batch.items", "Items of batch imports.", "{item}"),
		jobs:     i.seconds("threatconnect.batch.job.duration", "Time of batch jobs from upload to end.", jobBounds...),
		uploaded: map[int64]time.Duration{},
	}
	if i.err != nil {
		return nil, i.err
	}
	return func(e threatconnect.BatchEvent) {
		b.record(e)
		if next != nil {
			next(e)
		}
	}, nil
}

// batch records one import.
type batch struct {
	items    metric.Int64Counter
	jobs     metric.Float64Histogram
	uploaded map[int64]time.Duration // when jobs that have not ended were uploaded
	counted  *threatconnect.BatchStats
}

func (b *batch) record(e threatconnect.BatchEvent) {
	ctx := context.Background()
	switch e.Phase {
	case threatconnect.BatchUploaded:
		b.uploaded[e.Job] = e.Elapsed
	case threatconnect.BatchCompleted, threatconnect.BatchSplit:
		if began, ok := b.uploaded[e.Job]; ok {
			b.jobs.Record(ctx, (e.Elapsed - began).Seconds())
			delete(b.uploaded, e.Job)
		}
	case threatconnect.BatchExcluded:
		b.count("indicator", "excluded", 1)
	}
	if b.counted == nil {
		b.counted = &e.Stats
	}
	b.counts("indicator", &b.counted.Indicators, e.Stats.Indicators)
	b.counts("group", &b.counted.Groups, e.Stats.Groups)
	b.counts("association", &b.counted.Associations, e.Stats.Associations)
}

// counts counts the items of a kind whose outcome was decided since the last event.
func (b *batch) counts(kind string, counted *threatconnect.BatchCounts, now threatconnect.BatchCounts) {
	for _, outcome := range []struct {
		name    string
		counted *int64
		now     int64
	}{
		{"succeeded", &counted.Succeeded, now.Succeeded},
		{"failed", &counted.Failed, now.Failed},
		{"unprocessed", &counted.Unprocessed, now.Unprocessed},
		{"unknown", &counted.Unknown, now.Unknown},
	} {
		// Events of concurrent jobs can arrive with counts that are a little older than those before.
		if outcome.now > *outcome.counted {
			b.count(kind, outcome.name, outcome.now-*outcome.counted)
			*outcome.counted = outcome.now
		}
	}
}

func (b *batch) count(kind, outcome string, n int64) {
	b.items.Add(context.Background(), n, metric.WithAttributes(attribute.String("threatconnect.batch.kind", kind), attribute.String("threatconnect.batch.outcome", outcome)))
}
