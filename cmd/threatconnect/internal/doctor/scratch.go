package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// Limits of the batch jobs of --write.
const (
	jobTime      = 2 * time.Minute  // time limit of a job
	cleanupTime  = time.Minute      // time limit of the removal
	errorsTries  = 6                // requests for the error file
	removeTries  = 3                // attempts to remove the items
	uploadTries  = 3                // attempts to upload a file
	jobsPerWrite = 2                // number of jobs
	badAttribute = "no such type: " // begins the name of an attribute type that no instance has
)

// scratch contains the items that --write creates in the owner.
type scratch struct {
	client *threatconnect.Client // in the owner
	label  string
	host   string
	files  [2]string // their summaries: an MD5 and a SHA-1 each
	tag    string
	jobs   []*scratchJob
	id     int64 // of the threat; 0 if not known
}

type scratchJob struct {
	id             int64
	uploaded, done bool
}

// newLabel returns a random name.
func newLabel() string { return "threatconnect-doctor-" + randomHex(8) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func newScratch(client *threatconnect.Client, label string) *scratch {
	s := &scratch{client: client, label: label, host: label + ".example", tag: label}
	for n := range s.files {
		s.files[n] = strings.ToUpper(randomHex(16) + " : " + randomHex(20))
	}
	return s
}

// announcement describes the effects of --write.
func (s *scratch) announcement(owner string) string {
	return fmt.Sprintf("--write creates a host, two files, a threat and two tags in the owner %q by %d batch jobs, and an incident, reads them, and removes them. All are named %s. The jobs stay in the list of jobs.",
		owner, jobsPerWrite, s.label)
}

type object = map[string]any

// batchFile is the content of a job. Associations must come after the items that they associate.
type batchFile struct {
	Groups       []object `json:"group,omitempty"`
	Indicators   []object `json:"indicator,omitempty"`
	Associations []object `json:"association,omitempty"`
}

// content returns the file of the first job. It has one error: the attribute of the second file is of a type that no
// instance has.
func (s *scratch) content() batchFile {
	xid := threatconnect.XID("doctor", s.label)
	return batchFile{
		Groups: []object{{"type": "Threat", "name": s.label, "xid": xid, "attribute": attributes("Description", "first")}},
		Indicators: []object{
			{
				"type": "Host", "summary": s.host, "rating": 3, "confidence": 50, "tag": []object{{"name": s.tag}},
				"attribute": attributes("Description", "first"), "associatedGroups": []object{{"groupXid": xid}},
			},
			{"type": "File", "summary": s.files[0]},
			{"type": "File", "summary": s.files[1], "attribute": attributes(badAttribute+s.label, "first")},
		},
		Associations: []object{{
			"type_1": "File", "ref_1": md5Of(s.files[0]), "type_2": "Host", "ref_2": s.host, "associationType": "File DNS Query",
		}},
	}
}

func md5Of(summary string) string { return summary[:32] }

func attributes(typ, value string) []object { return []object{{"type": typ, "value": value}} }

// change returns the file of the second job, which replaces the description and adds a tag. Its second item only shows
// whether the instance accepts the name of a type in another case.
func (s *scratch) change() batchFile {
	return batchFile{Indicators: []object{
		{"type": "Host", "summary": s.host, "attribute": attributes("Description", "second"), "tag": []object{{"name": s.tag + "-2"}}},
		{"type": "host", "summary": s.host},
	}}
}

const scratchChanges = 2 // items of the second job

// create creates a job.
func (s *scratch) create(ctx context.Context, owner string, attributes threatconnect.WriteType) (*scratchJob, error) {
	id, err := s.client.Batch.Create(ctx, threatconnect.BatchJob{Owner: owner, Attributes: attributes, Tags: threatconnect.WriteAppend, Labels: threatconnect.WriteAppend})
	if err != nil {
		return nil, err
	}
	job := &scratchJob{id: id}
	s.jobs = append(s.jobs, job)
	return job, nil
}

// run uploads the file of a job and waits until the job is completed.
func (s *scratch) run(ctx context.Context, job *scratchJob, content batchFile) (*threatconnect.BatchStatus, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	job.uploaded = true // perhaps: the response can be lost
	for try := 1; ; try++ {
		_, err = s.client.Batch.Upload(ctx, job.id, bytes.NewReader(b))
		if err == nil {
			break
		}
		if !errors.Is(err, threatconnect.ErrOutcomeUnknown) || try == uploadTries {
			return nil, err
		}
		status, statusErr := s.client.Batch.Status(ctx, job.id)
		if statusErr != nil {
			return nil, statusErr
		}
		if status.State != threatconnect.JobCreated {
			break // it has arrived
		}
	}
	return s.wait(ctx, job)
}

func (s *scratch) wait(ctx context.Context, job *scratchJob) (*threatconnect.BatchStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	status, err := s.client.Batch.Wait(ctx, job.id)
	job.done = err == nil
	return status, err
}

// groups returns the groups that have the name of the scratch groups.
func (s *scratch) groups(ctx context.Context) ([]threatconnect.Group, error) {
	var found []threatconnect.Group
	for g, err := range s.client.Groups.All(ctx, &threatconnect.GroupListOptions{Filters: threatconnect.Filters{threatconnect.ByName.Is(s.label)}}) {
		if err != nil {
			return nil, err
		}
		if g.Meta().Name == s.label { // an instance that ignores the filter lists all
			found = append(found, g)
		}
	}
	return found, nil
}

// remove removes the items and returns those that may be left. It first waits for the jobs, because a running job
// could create items again.
func (s *scratch) remove(ctx context.Context) (left []string) {
	var running []string
	for _, job := range s.jobs {
		if !job.uploaded || job.done {
			continue
		}
		status, err := s.client.Batch.Status(ctx, job.id)
		if err == nil && status.State != threatconnect.JobCreated { // a job without its file does nothing
			_, err = s.wait(ctx, job)
		}
		if err != nil {
			running = append(running, fmt.Sprintf("batch job %d, which may still run", job.id))
		}
	}
	for range removeTries {
		if left = s.removeItems(ctx); len(left) == 0 {
			break
		}
	}
	return append(running, left...)
}

// removeItems removes the items and returns those that may be left. Missing items count as removed.
func (s *scratch) removeItems(ctx context.Context) (left []string) {
	try := func(what string, err error) {
		if err != nil && !errors.Is(err, threatconnect.ErrNotFound) {
			left = append(left, fmt.Sprintf("%s (%s)", what, cli.Plain(err)))
		}
	}
	groups, err := s.groups(ctx)
	if err != nil {
		try("a threat and an incident of this name", err)
	}
	for _, g := range groups {
		try(fmt.Sprintf("%s %d", strings.ToLower(string(g.Type())), g.Meta().ID), s.client.Groups.Delete(ctx, g))
	}
	try("host "+s.host, s.client.Indicators.Hosts.Delete(ctx, s.host))
	for _, summary := range s.files {
		try("file "+md5Of(summary), s.client.Indicators.Files.Delete(ctx, md5Of(summary)))
	}
	for _, tag := range []string{s.tag, s.tag + "-2"} {
		try("tag "+tag, s.client.Tags.Delete(ctx, tag))
	}
	if len(left) > 0 {
		return left
	}
	// Deleting was confirmed. Look once more whether it is true.
	if _, err := s.client.Indicators.Hosts.Get(ctx, s.host, nil); !errors.Is(err, threatconnect.ErrNotFound) {
		left = append(left, "host "+s.host+", which may still be there")
	}
	if groups, err := s.groups(ctx); err != nil || len(groups) > 0 {
		left = append(left, "a threat or an incident of this name, which may still be there")
	}
	return left
}
