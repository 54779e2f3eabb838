package threatconnect

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/canon"
	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// DocumentsService reads and writes documents with the methods of [TypedGroups], and their content. Create a document
// first, then upload its content:
//
//	document, err := client.Groups.Documents.Create(ctx, threatconnect.NewDocument("Analysis", "analysis.txt"))
//	...
//	err = client.Groups.Documents.Upload(ctx, document.ID, threatconnect.BytesContent(text), nil)
//
// The service is safe for concurrent use.
type DocumentsService struct{ TypedGroups[*Document] }

// ReportsService reads and writes reports with the methods of [TypedGroups], and their content. It is safe for
// concurrent use.
type ReportsService struct{ TypedGroups[*Report] }

// SignaturesService reads and writes signatures with the methods of [TypedGroups], and reads their text, which Get and
// lists do not return. It is safe for concurrent use.
type SignaturesService struct{ TypedGroups[*Signature] }

// UploadOptions configures an upload. Nil and the zero value upload content that is not malware, and replace existing
// content.
type UploadOptions struct {
	CallOptions
	// Malware declares that the content is malware. It must then be a zip whose files are protected with the
	// document's password. Only the first file of the zip is checked for encryption.
	Malware bool
	// Replace declares that the document already has content. It saves a request if the platform rejects a first
	// upload, and is required to replace existing content with content that can be read only once.
	Replace bool
}

// Upload uploads the content of a document by the document's ID, and replaces existing content.
//
// Upload streams the content. For empty content, and for malware that is not a zip protected with a password, it
// returns a [*ValidationError] before anything is sent. The platform accepts more than 5 GB only if its administrator
// raises the limit. Upload costs one request, and a second one if the platform reports existing content. It is
// idempotent and is retried after an unknown outcome, unless the content can be read only once.
//
//	API: POST /v2/groups/documents/{id}/upload
//	API: PUT /v2/groups/documents/{id}/upload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s DocumentsService) Upload(ctx context.Context, documentID int64, content Content, opts *UploadOptions) error {
	return s.upload(ctx, documentID, content, opts)
}

// UploadByXID uploads the content of a document by the document's xid, for example after a batch import, which reports
// no IDs; see [DocumentsService.Upload]. For an xid that consists of digits only, UploadByXID returns a
// [*ValidationError], because the platform would read it as an ID.
//
//	API: POST /v2/groups/documents/{id}/upload
//	API: PUT /v2/groups/documents/{id}/upload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s DocumentsService) UploadByXID(ctx context.Context, xid string, content Content, opts *UploadOptions) error {
	return s.uploadByXID(ctx, xid, content, opts)
}

// Download writes the content of a document to w, by the document's ID, and returns the number of bytes.
//
// Download streams content of any size. An incomplete transfer, an empty response, and an HTML page or an error message
// instead of the content are errors; w may then have a part of the content. Download costs one request, which is
// retried only until the first byte is written to w.
//
//	API: GET /v2/groups/documents/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s DocumentsService) Download(ctx context.Context, documentID int64, w io.Writer) (int64, error) {
	return s.download(ctx, documentID, w)
}

// Upload uploads the content of a report by the report's ID; see [DocumentsService.Upload].
//
//	API: POST /v2/groups/reports/{id}/upload
//	API: PUT /v2/groups/reports/{id}/upload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s ReportsService) Upload(ctx context.Context, reportID int64, content Content, opts *UploadOptions) error {
	return s.upload(ctx, reportID, content, opts)
}

// UploadByXID uploads the content of a report by the report's xid; see [DocumentsService.UploadByXID].
//
//	API: POST /v2/groups/reports/{id}/upload
//	API: PUT /v2/groups/reports/{id}/upload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s ReportsService) UploadByXID(ctx context.Context, xid string, content Content, opts *UploadOptions) error {
	return s.uploadByXID(ctx, xid, content, opts)
}

// Download writes the content of a report to w, by the report's ID; see [DocumentsService.Download]. The
// platform does not document the operation, but its own libraries use it. For a PDF file about a group of any
// type, use [GroupsService.PDF].
//
//	API: GET /v2/groups/reports/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s ReportsService) Download(ctx context.Context, reportID int64, w io.Writer) (int64, error) {
	return s.download(ctx, reportID, w)
}

// Download writes the text of a signature to w, by the signature's ID; see [DocumentsService.Download].
//
//	API: GET /v2/groups/signatures/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s SignaturesService) Download(ctx context.Context, signatureID int64, w io.Writer) (int64, error) {
	return s.download(ctx, signatureID, w)
}

// Text returns the text of a signature by the signature's ID. If the text exceeds the client's limit for responses, the
// error matches [ErrResponseTooLarge]. Text costs one request.
//
//	API: GET /v2/groups/signatures/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s SignaturesService) Text(ctx context.Context, signatureID int64) (string, error) {
	if err := s.c.usable(); err != nil {
		return "", err
	}
	w := &textSink{most: s.c.cfg.maxBody}
	if _, err := s.download(ctx, signatureID, w); err != nil {
		return "", err
	}
	return w.String(), nil
}

// upload uploads the content of a group, by its ID.
func (s TypedGroups[T]) upload(ctx context.Context, groupID int64, content Content, opts *UploadOptions) error {
	t, err := s.c.targetOf(ctx, s.ref(groupID))
	if err != nil {
		return err
	}
	o := copyOf(opts)
	return s.c.with(o.CallOptions).upload(ctx, t, content, o)
}

// uploadByXID uploads the content of a group, by its xid.
func (s TypedGroups[T]) uploadByXID(ctx context.Context, xid string, content Content, opts *UploadOptions) error {
	def, err := s.definition()
	if err != nil {
		return err
	}
	switch {
	case canon.IsBlank(xid):
		return &ValidationError{Field: "xid", Rule: "is empty"}
	case allDigits(xid):
		return &ValidationError{Field: "xid", Rule: "consists of digits only, so that the platform would take it for an id", Fix: "read the group and upload by its id"}
	}
	o := copyOf(opts)
	return s.c.with(o.CallOptions).upload(ctx, targetOfXID(def, xid, s.c.Owner()), content, o)
}

// targetOfXID returns the target of a document or report with an xid.
func targetOfXID(def *groupDef, xid, owner string) target {
	return target{kind: kindGroup, typ: string(def.typ), route: def.collection().under(value(xid)), owner: owner}
}

// download writes the content of a group to w, by its ID.
func (s TypedGroups[T]) download(ctx context.Context, groupID int64, w io.Writer) (int64, error) {
	t, err := s.c.targetOf(ctx, s.ref(groupID))
	if err != nil {
		return 0, err
	}
	return s.c.download(ctx, &call{method: http.MethodGet, route: t.route.under("download"), query: ownerQuery(t.owner)}, w, nil)
}

func (c *Client) upload(ctx context.Context, t target, content Content, o UploadOptions) error {
	u, err := newUploading(content, o.Malware)
	if err != nil {
		return err
	}
	defer u.close()
	r := t.route.under("upload")
	if !o.Replace {
		q := url.Values{"updateIfExists": {"true"}}
		if t.owner != "" {
			q.Set("owner", t.owner)
		}
		_, err := c.exchange(ctx, &call{method: http.MethodPost, route: r, query: q, body: u.payload(), idempotentPOST: true, allowEmpty: true}, nil, nil)
		if !contentExists(err) {
			return err
		}
		if content.OneShot {
			if api, ok := errors.AsType[*APIError](err); ok {
				api.Hint = "there is content already and this one can be read only once: set Replace, or give content that can be opened again"
			}
			return err
		}
	}
	_, err = c.exchange(ctx, &call{method: http.MethodPut, route: r, query: ownerQuery(t.owner), body: u.payload(), allowEmpty: true}, nil, nil)
	return err
}

// contentExists reports whether the platform rejected a first upload because content exists. It then responds with 401
// and an undocumented message; a wrong signature and a missing permission have the same status but known messages.
func contentExists(err error) bool {
	api, ok := err.(*APIError)
	return ok && (api.Is(ErrExists) || api.StatusCode == http.StatusUnauthorized && api.Message == "" && api.Foreign != "" && !api.HTML)
}

// textSink collects text up to a maximum size.
type textSink struct {
	strings.Builder
	most int64
}

func (t *textSink) Write(p []byte) (int, error) {
	if int64(t.Len())+int64(len(p)) > t.most {
		return 0, ErrResponseTooLarge
	}
	return t.Builder.Write(p)
}

// PDF writes the platform's PDF report about a group to w and returns the number of bytes. For documents and emails,
// which have no such report, it returns a [*ValidationError]. PDF streams and is retried like
// [DocumentsService.Download]. It costs one request.
//
//	API: GET /v2/groups/{type}/{id}/pdf
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) PDF(ctx context.Context, group Resource, w io.Writer) (int64, error) {
	t, err := s.c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return 0, err
	}
	if t.typ == string(GroupDocument) || t.typ == string(GroupEmail) {
		return 0, &ValidationError{Field: "resource", Rule: "must be a group that is neither a document nor an email, which have no PDF report"}
	}
	return s.c.download(ctx, &call{method: http.MethodGet, route: t.route.under("pdf"), query: ownerQuery(t.owner)}, w, checkPDF)
}

// PublishOptions selects items to exclude when a group is published. Nil and the zero value exclude nothing.
type PublishOptions struct {
	CallOptions
	ExcludeLabels    []string // names of security labels; items with one of them are not published
	ExcludeUnlabeled bool     // whether items without a security label are not published
}

// Publish publishes a group and its associated items. It costs one request and is not retried after an unknown outcome.
//
//	API: POST /v2/groups/{type}/{id}/publish
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Publish(ctx context.Context, group Resource, opts *PublishOptions) error {
	t, err := s.c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return err
	}
	o := copyOf(opts)
	var w wire.Writer
	w.BeginObject()
	w.Key("securityLabelList")
	w.BeginArray()
	for _, name := range o.ExcludeLabels {
		label, err := canonicalSecurityLabel(name)
		if err != nil {
			return err
		}
		w.Text(label)
	}
	w.EndArray()
	w.Key("excludeUnlabeled")
	w.Bool(o.ExcludeUnlabeled)
	w.EndObject()
	if err := w.Err(); err != nil {
		return err
	}
	_, err = s.c.with(o.CallOptions).exchange(ctx, &call{
		method: http.MethodPost, route: t.route.under("publish"), query: ownerQuery(t.owner), body: jsonBody(w.Buf),
	}, nil, nil)
	return err
}
