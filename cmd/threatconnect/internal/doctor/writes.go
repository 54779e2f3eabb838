package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// batchJob creates the first job, which shows whether the batch API is on and the owner can be written.
func (e *exam) batchJob(ctx context.Context) check {
	if !e.sees(e.writeTo) {
		return fail("the API user does not see the owner of --write", "check the name, and ask the administrator to give the API user access")
	}
	s := newScratch(e.client.InOwner(e.writeTo), e.label)
	e.env.Printf("%s", s.announcement(e.writeTo))
	job, err := s.create(ctx, e.writeTo, threatconnect.WriteAppend)
	switch {
	case err == nil:
		e.scratch = s
		return pass("created").with(fmt.Sprintf("job %d", job.id))
	case errors.Is(err, threatconnect.ErrBatchDisabled):
		return fail("the batch API is switched off: "+cause(err), "ask the administrator to switch on batchJobEnabled and document storage")
	case errors.Is(err, threatconnect.ErrUnauthorized), errors.Is(err, threatconnect.ErrForbidden):
		return fail("the API user may only read the owner: "+cause(err), "give it the role of a Standard User in an organization, or of an Editor in a community or source")
	}
	return fail("no batch job can be created: "+cause(err), "try again, and report this if it stays").with(cli.Plain(err))
}

// batchImport imports the items of the first job.
func (e *exam) batchImport(ctx context.Context) check {
	began := e.now()
	status, err := e.scratch.run(ctx, e.scratch.jobs[0], e.scratch.content())
	if err != nil {
		return fail("the batch job does not complete: "+cause(err), "try again, and report this if it stays").with(cli.Plain(err))
	}
	e.imported = status
	saw := fmt.Sprintf("completed in %s: success %d, errors %d, unprocessed %d", e.now().Sub(began).Round(time.Millisecond), status.Success, status.Errors, status.Unprocessed)
	if status.Success == 0 {
		return fail(saw, "report this, with the error file of the job")
	}
	return pass("%s", saw)
}

// errorFile reads the errors of the first job, which has one on purpose.
func (e *exam) errorFile(ctx context.Context) check {
	if e.imported.Errors == 0 {
		return unsure("the job has no error, although an attribute is of an unknown type")
	}
	for try := 1; ; try++ {
		entries, err := threatconnect.Collect(e.scratch.client.Batch.Errors(ctx, e.scratch.jobs[0].id))
		if err != nil {
			return fail("the error file cannot be read: "+cause(err), "report this").with(cli.Plain(err))
		}
		named := 0
		for _, entry := range entries {
			if entry.Ref != "" {
				named++
			}
		}
		switch {
		case len(entries) > 0:
			return pass("errors: %d, errors that name their item: %d", len(entries), named)
		case try == errorsTries || !pause(ctx, e.limits.pause):
			return fail("the job has errors, and its error file is missing or empty", "report this")
		}
	}
}

// pause waits and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// readBack compares the host with the imported one.
func (e *exam) readBack(ctx context.Context) check {
	s := e.scratch
	host, err := s.client.Indicators.Hosts.Get(ctx, s.host, &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true}})
	if err != nil {
		return unread("the imported host", err)
	}
	groups, err := threatconnect.Collect(s.client.Associations.Groups(ctx, host, nil))
	if err != nil {
		return unread("the groups of the imported host", err)
	}
	var missing []string
	for what, there := range map[string]bool{
		"the rating":      host.Rating != nil && *host.Rating == 3,
		"the confidence":  host.Confidence != nil && *host.Confidence == 50,
		"the tag":         slices.Contains(tagNames(host), s.tag),
		"the description": slices.Equal(descriptions(host), []string{"first"}),
		"the group":       slices.ContainsFunc(groups, func(g threatconnect.Group) bool { return g.Meta().Name == s.label }),
	} {
		if !there {
			missing = append(missing, what)
		}
	}
	for _, g := range groups {
		s.id = g.Meta().ID
	}
	if len(e.indicators) == 0 { // no list has shown yet how indicators are written
		if _, err := s.client.Indicators.List(ctx, nil); err != nil {
			return unread("a page of indicators", err)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		return warn("of the imported host, these are missing or different: "+strings.Join(missing, ", "), "check the rules of the instance for tags and attributes, and report this")
	}
	return pass("rating, confidence, tag, description and group of the imported host are right")
}

func tagNames(h *threatconnect.Host) []string {
	var names []string
	for _, t := range h.Tags {
		names = append(names, t.Name)
	}
	return names
}

func descriptions(h *threatconnect.Host) []string {
	var values []string
	for _, a := range h.Attributes {
		if a.Type == "Description" {
			values = append(values, a.Value)
		}
	}
	return values
}

// writeModes changes the host by a second job with the modes Singleton and Append.
func (e *exam) writeModes(ctx context.Context) check {
	s := e.scratch
	job, err := s.create(ctx, e.writeTo, threatconnect.WriteSingleton)
	if err == nil {
		_, err = s.run(ctx, job, s.change())
	}
	if err != nil {
		return warn("a job with attributeWriteType Singleton fails: "+cause(err), "use Append or Replace").with(cli.Plain(err))
	}
	host, err := s.client.Indicators.Hosts.Get(ctx, s.host, &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{Tags: true, Attributes: true}})
	if err != nil {
		return unread("the imported host", err)
	}
	var wrong []string
	if got := descriptions(host); !slices.Equal(got, []string{"second"}) {
		wrong = append(wrong, fmt.Sprintf("Singleton leaves %s of one type instead of the new one", cli.Count(int64(len(got)), "attribute")))
	}
	for _, tag := range []string{s.tag, s.tag + "-2"} {
		if !slices.Contains(tagNames(host), tag) {
			wrong = append(wrong, "a tag is missing after Append")
		}
	}
	if len(wrong) > 0 {
		return warn(strings.Join(wrong, "; "), "report this")
	}
	return pass("Singleton replaces an attribute, and Append keeps the tags")
}

// existing creates the host once more by a single request.
func (e *exam) existing(ctx context.Context) check {
	_, err := e.scratch.client.Indicators.Hosts.Create(ctx, threatconnect.NewHost(e.scratch.host))
	switch {
	case err == nil:
		return pass("creating an indicator that exists updates it")
	case errors.Is(err, threatconnect.ErrExists) || errors.Is(err, threatconnect.ErrBadRequest):
		return pass("creating an indicator that exists is refused: %s", cause(err))
	}
	return fail("an indicator cannot be created by a single request: "+cause(err), "check the role of the API user").with(cli.Plain(err))
}

// disputed makes requests to which instances respond in two ways. The oddities show which way this one does.
func (e *exam) disputed(ctx context.Context) check {
	s := e.scratch
	name, err := json.Marshal(object{"name": s.label})
	if err != nil {
		return fail("the requests cannot be made", "report this").with(cli.Plain(err))
	}
	id := "/" + strconv.FormatInt(s.id, 10)
	owner := url.Values{"owner": {e.writeTo}}
	requests := []threatconnect.Request{
		{Method: http.MethodPost, Path: "/v2/groups/incidents", Query: owner, Body: name},
		{Method: http.MethodPost, Path: "/v2/groups/documents" + id + "/upload", Query: owner}, // there is no such document
		{Method: http.MethodPost, Path: "/v2/indicators/hosts/" + s.host + "/indicators/files/" + md5Of(s.files[0]), Query: owner},
		{Method: http.MethodPost, Path: "/v2/exchange/db/organization/" + s.label + "/none", Header: http.Header{"DB-Method": {http.MethodGet}}},
	}
	if mine, err := e.client.Owners.Mine(ctx); err == nil && mine.Name != e.writeTo {
		requests = append(requests, threatconnect.Request{Method: http.MethodGet, Path: "/v2/groups/threats" + id})
	}
	for _, r := range requests {
		resp, err := s.client.Do(ctx, r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			err = errors.Join(err, resp.Body.Close())
		}
		if _, refused := errors.AsType[*threatconnect.APIError](err); err != nil && !refused {
			return warn("a request gets no response: "+cause(err), "try again")
		}
	}
	return pass("see the oddities below")
}

// cleanUp removes the scratch items, even if ctx has ended.
func (e *exam) cleanUp(ctx context.Context) check {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if left := e.scratch.remove(ctx); len(left) > 0 {
		return fail(cli.Count(int64(len(left)), "thing")+" could not be removed", "remove them by hand").with(left...)
	}
	return pass("everything was removed; %s remain in the list of jobs", cli.Count(int64(len(e.scratch.jobs)), "batch job"))
}
