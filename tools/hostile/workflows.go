package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/feeds"
)

// workflows are sequences of calls of several methods, and of functions that are not methods of services.
var workflows = map[string]call{
	"workflow.Do":        request,
	"workflow.Changes":   changes,
	"workflow.DataStore": dataStore,
	"workflow.Import":    importTwice,
	"workflow.Merge":     merge,
	"workflow.State":     state,
	"workflow.Fetch":     fetch,
	"workflow.Trigger":   trigger,
}

func request(r *run) error {
	resp, err := r.client.Do(r.ctx, threatconnect.Request{Method: http.MethodGet, Path: "/v2/owners"})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 2*maxSent))
	return errors.Join(err, resp.Body.Close())
}

// changes reads all changes, and then newer ones.
func changes(r *run) error {
	all := r.client.Changes(r.ctx, threatconnect.Cursor{}, &threatconnect.ChangeOptions{Limit: pick(r.random, 0, 2, 5)})
	if err := take(r, all.All()); err != nil {
		return err
	}
	b, err := json.Marshal(all.Cursor())
	if err != nil {
		return err
	}
	var cursor threatconnect.Cursor
	if err := json.Unmarshal(b, &cursor); err != nil {
		r.problem("a cursor cannot be read again: %v", err)
	}
	return take(r, r.client.Changes(r.ctx, cursor, nil).All())
}

func dataStore(r *run) error {
	store, err := threatconnect.DataStoreOf[map[string]any](r.token, threatconnect.DataStoreOrganization, "old")
	if err != nil {
		return err
	}
	id, err := store.Create(r.ctx, map[string]any{"a": 1})
	if err != nil {
		return err
	}
	if err := store.Put(r.ctx, "known", map[string]any{"a": 2}); err != nil {
		return err
	}
	record, err := store.Get(r.ctx, "known")
	if err == nil && record.ID != "known" {
		r.problem("another record than the one asked for")
	}
	_, listErr := store.List(r.ctx)
	_, searchErr := store.Search(r.ctx, map[string]any{"query": map[string]any{"match_all": map[string]any{}}})
	return errors.Join(err, listErr, searchErr, store.SetMappings(r.ctx, map[string]any{"properties": map[string]any{}}), store.Delete(r.ctx, id))
}

// importTwice imports with a spool, and once more, which resumes an import that was interrupted.
func importTwice(r *run) error {
	config := r.batchConfig()
	config.Spool, config.Run = threatconnect.NewDirSpool(r.dir+"/spool"), "run"
	items := r.items()
	stats, err := r.client.Batch.Import(r.ctx, config, items)
	r.problems = append(r.problems, r.batch.ended(stats, err)...)
	if err != nil {
		r.errors = append(r.errors, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), time.Hour)
	defer cancel()
	r.longest += time.Hour
	r.platform.limit(cancel)
	r.batch = &account{}
	config.OnError, config.OnEvent = r.batch.failed, r.batch.happened
	stats, err = r.client.Batch.Import(ctx, config, items)
	r.problems = append(r.problems, r.batch.ended(stats, err)...)
	return err
}

// merge merges items and imports them, with limits from the platform.
func merge(r *run) error {
	lengths, err := r.client.Types.AttributeLengths(r.ctx, nil)
	if err != nil {
		return err
	}
	config := r.batchConfig()
	stats, err := r.client.Batch.Import(r.ctx, config, threatconnect.MergeItems(r.ctx, r.items(), &threatconnect.MergeOptions{Dir: r.dir, MaxLengths: lengths}))
	r.problems = append(r.problems, r.batch.ended(stats, err)...)
	return err
}

// state imports a feed twice with a state in the DataStore.
func state(r *run) error {
	r.longest = 10 * time.Minute // Save continues after its context has ended
	store, err := feeds.NewDataStore(r.token, threatconnect.DataStoreOrganization, "state", "feed")
	if err != nil {
		return err
	}
	items := r.items()
	for range 2 {
		s, openErr := feeds.OpenState(r.ctx, store, feeds.StateOptions{Instance: "x", Owner: source, Dir: r.dir})
		if openErr != nil {
			return openErr
		}
		config := r.batchConfig()
		config.Spool, config.Run = nil, ""
		failed := config.OnError
		config.KnownGroup, config.OnError = s.KnownGroup, func(e threatconnect.BatchItemError) { failed(e); s.OnError(e) }
		stats, importErr := r.client.Batch.Import(r.ctx, config, s.Changed(items))
		r.problems = append(r.problems, r.batch.ended(stats, importErr)...)
		if err = errors.Join(importErr, s.Save(r.ctx, stats, importErr), s.Close()); err != nil {
			return err
		}
	}
	return nil
}

// bodies are feeds of all formats.
var bodies = []string{
	"a.example\nb.example # comment\n192.0.2.1\n",
	"# URLhaus\n\"1\",\"2026-01-01 00:00:00\",\"http://a.example/x\",\"online\",\"\",\"malware_download\",\"elf\",\"https://urlhaus.example/1\",\"anonymous\"\n",
	`{"type":"Host","summary":"a.example"}` + "\n" + `{"group":{"type":"Threat","name":"t","xid":"x"}}` + "\n",
	`{"type":"bundle","id":"bundle--1","objects":[{"type":"indicator","id":"indicator--0c8465c0-1111-4111-8111-111111111111","pattern_type":"stix","pattern":"[domain-name:value = 'a.example']","valid_from":"2026-01-01T00:00:00Z","labels":["x"]},` +
		`{"type":"malware","id":"malware--0c8465c0-1111-4111-8111-111111111112","name":"m","is_family":false},{"type":"relationship","id":"relationship--0c8465c0-1111-4111-8111-111111111113","relationship_type":"indicates",` +
		`"source_ref":"indicator--0c8465c0-1111-4111-8111-111111111111","target_ref":"malware--0c8465c0-1111-4111-8111-111111111112"}]}`,
}

// feedServer serves a feed.
type feedServer struct{ body string }

func (f feedServer) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, ContentLength: int64(len(f.body)),
		Header: http.Header{"Etag": {`"1"`}, "Last-Modified": {"Sat, 01 Jan 2000 00:00:00 GMT"}}, Body: io.NopCloser(strings.NewReader(f.body)),
	}, nil
}

// fetch downloads a feed and reads it.
func fetch(r *run) error {
	const feed = "https://feed.example/list"
	r.platform.inner, r.platform.origin = feedServer{pick(r.random, bodies...)}, "https://"
	f := &feeds.Fetcher{Client: r.client, Transport: r.platform, MaxBytes: maxResponse}
	d, err := f.Fetch(r.ctx, feed, threatconnect.Cursor{})
	if err != nil || d == nil || d.Body == nil {
		return err
	}
	read, err := feeds.Open(d.Body, &feeds.Options{Owner: source, Feed: "hostile", Dir: r.dir})
	if err == nil {
		n := 0
		for _, e := range read.All() {
			if err = e; err != nil {
				if _, line := errors.AsType[*feeds.LineError](err); !line {
					break
				}
				r.errors = append(r.errors, err)
				err = nil
			}
			if n++; n > maxItems {
				break
			}
		}
	}
	return errors.Join(err, d.Body.Close())
}

// trigger starts a playbook by the URL of its trigger.
func trigger(r *run) error {
	const path = "Zq81LmXw7TbD4kVn"
	r.platform.secrets.add(r.ctx, path)
	r.platform.secrets.add(r.ctx, "Jh5RtY2pWq9sKd3f")
	r.platform.inner, r.platform.origin = feedServer{`{"ok":true}`}, "https://trigger.example/api/playbook/"
	t, err := threatconnect.NewPlaybookTrigger("https://trigger.example/api/playbook/"+path, &threatconnect.PlaybookTriggerOptions{
		HTTPClient: &http.Client{Transport: r.platform}, Username: "user", Password: "Jh5RtY2pWq9sKd3f", MaxBody: maxResponse,
	})
	if err != nil {
		return err
	}
	resp, err := t.Fire(r.ctx, map[string]any{"a": 1})
	if err == nil && resp == nil {
		r.problem("neither a response nor an error")
	}
	return err
}
