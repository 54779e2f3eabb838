package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// makeItems makes the items of an import and drops them: the cost of importFeed without the package.
func makeItems(_ context.Context, t task) error {
	for item := range feed(t.n) {
		runtime.KeepAlive(item)
	}
	return nil
}

func importFeed(ctx context.Context, t task) error { return t.importItems(ctx, feed(t.n)) }

func importHosts(ctx context.Context, t task) error { return t.importItems(ctx, hosts(t.n)) }

// importSpooled imports with a spool on the disk.
func importSpooled(ctx context.Context, t task) error {
	dir, err := os.MkdirTemp("", "spool-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := t.client()
	if err != nil {
		return err
	}
	_, err = c.Batch.Import(ctx, threatconnect.BatchConfig{
		Owner: owner, Attributes: threatconnect.WriteReplace, Spool: threatconnect.NewDirSpool(dir), Run: "measured",
	}, threatconnect.BatchItems(feed(t.n)))
	return err
}

func importRepeats(ctx context.Context, t task) error { return t.importItems(ctx, repeats(t.n)) }

// importMerged merges duplicates first. The feed has none.
func importMerged(ctx context.Context, t task) error { return t.mergeItems(ctx, feed(t.n)) }

func importRepeatsMerged(ctx context.Context, t task) error { return t.mergeItems(ctx, repeats(t.n)) }

func (t task) mergeItems(ctx context.Context, items iter.Seq[threatconnect.BatchItem]) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	_, err = c.Batch.Import(ctx, threatconnect.BatchConfig{Owner: owner, Attributes: threatconnect.WriteReplace},
		threatconnect.MergeItems(ctx, threatconnect.BatchItems(items), nil))
	return err
}

func (t task) importItems(ctx context.Context, items iter.Seq[threatconnect.BatchItem]) error {
	c, err := t.client()
	if err != nil {
		return err
	}
	w, err := c.Batch.NewWriter(ctx, threatconnect.BatchConfig{Owner: owner, Attributes: threatconnect.WriteReplace})
	if err != nil {
		return err
	}
	for item := range items {
		if err := w.Add(ctx, item); err != nil {
			return err
		}
	}
	return w.Close(ctx)
}

// postFiles creates a job for every ready-made file and uploads the file. The system copies it to the connection
// without reading it into this process.
func postFiles(ctx context.Context, t task) error {
	return t.eachFile(func(name string) error {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return t.postJob(ctx, f, info.Size())
	})
}

// postBytes does the same with files that are read into memory first.
func postBytes(ctx context.Context, t task) error {
	return t.eachFile(func(name string) error {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return t.postJob(ctx, bytes.NewReader(b), int64(len(b)))
	})
}

// postAndMake posts ready-made bytes while it makes and drops the corresponding items: an import without the cost of
// encoding.
func postAndMake(ctx context.Context, t task) error {
	posted := make(chan error, 1)
	go func() { posted <- postBytes(ctx, t) }()
	return errors.Join(makeItems(ctx, t), <-posted)
}

func (t task) eachFile(do func(name string) error) error {
	files, err := filepath.Glob(filepath.Join(t.dir, "*.json"))
	if err != nil {
		return fmt.Errorf("find files in %s: %w", t.dir, err)
	}
	if len(files) == 0 {
		return fmt.Errorf("no files in %s", t.dir)
	}
	slices.Sort(files)
	for _, name := range files {
		if err := do(name); err != nil {
			return err
		}
	}
	return nil
}

// postJob creates a job, uploads its file, and reads its status once.
func (t task) postJob(ctx context.Context, file io.Reader, size int64) error {
	const config = `{"version":"V2","owner":"Example Source","action":"Create","haltOnError":false,"attributeWriteType":"Replace","tagWriteType":"Append","securityLabelWriteType":"Append"}`
	var made struct {
		Data struct {
			BatchID int64 `json:"batchId"`
		} `json:"data"`
	}
	if err := bare(ctx, http.MethodPost, t.base+"/v2/batch", strings.NewReader(config), int64(len(config)), &made); err != nil {
		return err
	}
	job := t.base + "/v2/batch/" + strconv.FormatInt(made.Data.BatchID, 10)
	var answer struct {
		Status string `json:"status"`
	}
	if err := bare(ctx, http.MethodPost, job, file, size, &answer); err != nil {
		return err
	}
	return bare(ctx, http.MethodGet, job+"?includeAdditional=true", nil, 0, &answer)
}

// marshalItems makes structs for a job of 5,000 items, marshals and posts them: a typical import without a package.
func marshalItems(ctx context.Context, t task) error {
	const most = 5_000
	var job batchFile
	post := func() error {
		b, err := json.Marshal(&job)
		if err != nil {
			return err
		}
		job.Group, job.Indicator = job.Group[:0], job.Indicator[:0]
		return t.postJob(ctx, bytes.NewReader(b), int64(len(b)))
	}
	for item := range feed(t.n) {
		job.add(item)
		if len(job.Group)+len(job.Indicator) == most {
			if err := post(); err != nil {
				return err
			}
		}
	}
	return post()
}

// batchFile is the file of a job as structs.
type batchFile struct {
	Group     []batchGroup     `json:"group,omitempty"`
	Indicator []batchIndicator `json:"indicator,omitempty"`
}

type batchGroup struct {
	Name string `json:"name"`
	Type string `json:"type"`
	XID  string `json:"xid"`
}

type batchIndicator struct {
	Type       string                    `json:"type"`
	Summary    string                    `json:"summary"`
	Rating     *float64                  `json:"rating,omitempty"`
	Confidence *int                      `json:"confidence,omitempty"`
	Attribute  []threatconnect.Attribute `json:"attribute,omitempty"`
	Tag        []threatconnect.Tag       `json:"tag,omitempty"`
	Groups     []groupRef                `json:"associatedGroups,omitempty"`
}

type groupRef struct {
	XID string `json:"groupXid"`
}

func (f *batchFile) add(item threatconnect.BatchItem) {
	switch item := item.(type) {
	case threatconnect.Group:
		m := item.Meta()
		f.Group = append(f.Group, batchGroup{Name: m.Name, Type: string(item.Type()), XID: m.XID})
	case threatconnect.Indicator:
		m := item.Meta()
		ind := batchIndicator{Type: string(item.Type()), Summary: item.Summary(), Rating: m.Rating, Confidence: m.Confidence, Attribute: m.Attributes, Tag: m.Tags}
		for _, xid := range m.GroupXIDs {
			ind.Groups = append(ind.Groups, groupRef{xid})
		}
		f.Indicator = append(f.Indicator, ind)
	}
}
