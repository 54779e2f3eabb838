package threatconnect

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// UploadOptions says how a content is uploaded. Nil and the zero value upload what is not malware,
// whether there is content already or not.
type UploadOptions struct {
	// Malware says that the content is malware: it must then be a zip whose files are protected with
	// the document's password. A [*Document] whose Malware is true needs no saying.
	Malware bool
	// Replace says that there is content already. It saves a request where the platform does not
	// take the content of a document that has some, and is the way to replace content that can be
	// read only once.
	Replace bool
}

// Upload uploads the content of a document or report, and replaces what it has. document is a
// [*Document], a [*Report] or a [GroupRef] of one of these types. One that has an XID and no ID, as
// after a batch import, is named by its xid, which must not look like an id.
//
// The content is streamed. It is refused before anything is sent when it is empty, and when it is
// malware and not a zip that is protected with a password. The platform takes more than 5 GB only
// where its administrator has made room for it. It costs one request, and a second one
// when the platform says that there is content already. Repeating an upload does no harm, so that
// it is tried again after an unknown outcome, unless the content can be read only once.
//
//	API: POST /v2/groups/documents/{id}/upload
//	API: PUT /v2/groups/documents/{id}/upload
//	API: POST /v2/groups/reports/{id}/upload
//	API: PUT /v2/groups/reports/{id}/upload
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Upload(ctx context.Context, document Resource, content Content, opts *UploadOptions) error {
	t, err := s.c.uploadTarget(ctx, document)
	if err != nil {
		return err
	}
	o := copyOf(opts)
	if d, ok := document.(*Document); ok && d.Malware != nil && *d.Malware {
		o.Malware = true
	}
	return s.c.upload(ctx, t, content, o)
}

// uploadTarget returns the document or report that r is, by id or xid.
func (c *Client) uploadTarget(ctx context.Context, r Resource) (target, error) {
	var t target
	var err error
	if g, ok := r.(Group); ok && !isNil(g) && groupDefOf(g.Type()) != nil && g.Meta().ID == 0 && g.Meta().XID != "" {
		xid := g.Meta().XID
		if allDigits(xid) {
			return t, &ValidationError{Field: "xid", Rule: "consists of digits only, so that the platform would take it for an id", Fix: "set the group's ID instead"}
		}
		t = target{
			kind:  kindGroup,
			typ:   string(g.Type()),
			route: groupDefOf(g.Type()).collection().under(value(xid)),
			owner: c.ownerOr(g.Meta().Owner.Name),
		}
	} else if t, err = c.targetOf(ctx, r); err != nil {
		return t, err
	}
	if t.kind != kindGroup || t.typ != string(GroupDocument) && t.typ != string(GroupReport) {
		return t, &ValidationError{Field: "resource", Rule: "want a document or report, because nothing else has content to upload"}
	}
	return t, nil
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

// contentExists reports whether a first upload was refused because there is content already. The
// platform answers 401 then, in words that are not documented; a refused signature and a missing
// permission have the same status and sentences of their own.
func contentExists(err error) bool {
	api, ok := err.(*APIError)
	return ok && (api.Is(ErrExists) || api.StatusCode == http.StatusUnauthorized && api.Message == "" && api.Foreign != "" && !api.HTML)
}

// Download writes the content of a document, or the text of a signature, to w and returns how many
// bytes that were. group is a [*Document], a [*Signature] or a [GroupRef] of one of these types;
// the platform offers no other content (for reports there is [GroupsService.PDF]).
//
// The content is streamed, whatever its size. A transfer that breaks off, an empty answer, a page
// or a failure in place of the content are errors; w may then hold a part. It costs one request,
// which is tried again only as long as w has got nothing.
//
//	API: GET /v2/groups/documents/{id}/download
//	API: GET /v2/groups/signatures/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) Download(ctx context.Context, group Resource, w io.Writer) (int64, error) {
	t, err := s.c.targetOfKind(ctx, group, kindGroup)
	if err != nil {
		return 0, err
	}
	if t.typ != string(GroupDocument) && t.typ != string(GroupSignature) {
		return 0, &ValidationError{Field: "resource", Rule: "want a document or signature, because nothing else has content to download"}
	}
	return s.c.download(ctx, &call{method: http.MethodGet, route: t.route.under("download"), query: ownerQuery(t.owner)}, w, nil)
}

// SignatureText reads the text of a signature, which does not come with the signature itself. It
// costs one request.
//
//	API: GET /v2/groups/signatures/{id}/download
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/groups/groups.html
func (s GroupsService) SignatureText(ctx context.Context, signatureID int64) (string, error) {
	t, err := s.c.targetOf(ctx, GroupRef{Type: GroupSignature, ID: signatureID})
	if err != nil {
		return "", err
	}
	w := &textSink{most: s.c.cfg.maxBody}
	_, err = s.c.download(ctx, &call{method: http.MethodGet, route: t.route.under("download"), query: ownerQuery(t.owner)}, w, nil)
	if err != nil {
		return "", err
	}
	return w.String(), nil
}

// textSink holds a text up to a size.
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

// PDF writes the platform's report about a group, a PDF file, to w and returns how many bytes that
// were. There is none of documents and e-mails, which are refused. What [GroupsService.Download]
// says about transfers holds here too. It costs one request.
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
		return 0, &ValidationError{Field: "resource", Rule: "want a group that is neither a document nor an e-mail, because of these there are no PDF reports"}
	}
	return s.c.download(ctx, &call{method: http.MethodGet, route: t.route.under("pdf"), query: ownerQuery(t.owner)}, w, checkPDF)
}

// PublishOptions says what is left out when a group is published. Nil and the zero value leave
// nothing out.
type PublishOptions struct {
	// ExcludeLabels are the names of security labels: what carries one of them is not published.
	ExcludeLabels []string
	// ExcludeUnlabeled leaves out what carries no security label.
	ExcludeUnlabeled bool
}

// Publish publishes a group and what is associated with it. It costs one request, which is not
// tried again after an unknown outcome.
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
		label, err := CanonicalSecurityLabel(name)
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
	_, err = s.c.exchange(ctx, &call{
		method: http.MethodPost, route: t.route.under("publish"), query: ownerQuery(t.owner), body: jsonBody(w.Buf),
	}, nil, nil)
	return err
}
