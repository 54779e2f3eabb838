package threatconnecttest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	msgContentExists   = "The content of this document already exists"
	msgContentMissing  = "There is no content that could be replaced"
	msgContentEmpty    = "The content is empty"
	msgContentType     = "The content must be sent as application/octet-stream"
	msgNotProtected    = "Malware must be a zip file that is protected with a password"
	msgNoReportForType = "There are no reports about groups of this type"
)

func contentRoutes() []route {
	routes := []route{
		{method: "GET", pattern: "/v2/groups/signatures/{id}/download", handle: with(groupOfType("Signature"), (*call).downloadSignature)},
		{method: "GET", pattern: "/v2/groups/{type}/{id}/pdf", handle: with((*call).group, (*call).reportGroup)},
		{method: "POST", pattern: "/v2/groups/{type}/{id}/publish", handle: with((*call).group, (*call).publishGroup)},
	}
	for _, name := range []string{"Document", "Report"} {
		one := "/v2/groups/" + groupTypeByName(name).branch + "/{id}/"
		upload := takesStream(with(groupByIDOrXID(name), (*call).uploadContent))
		routes = append(routes,
			route{method: "GET", pattern: one + "download", handle: with(groupOfType(name), (*call).downloadContent)},
			route{method: "POST", pattern: one + "upload", handle: upload},
			route{method: "PUT", pattern: one + "upload", handle: upload})
	}
	return routes
}

// WithoutUpdateIfExists makes the server ignore updateIfExists. Only PUT then replaces existing
// content.
func WithoutUpdateIfExists() Option { return func(s *Server) { s.putOnly = true } }

// groupByIDOrXID returns a finder of the group whose ID or xid is in the path.
func groupByIDOrXID(name string) func(*call) *group {
	return func(c *call) *group {
		id := c.id("id")
		if g := c.groupByXID[c.params.get("id")]; c.groupByID[id] == nil && g != nil {
			id = g.id
		}
		return c.groupOf(groupTypeByName(name), id)
	}
}

// takesStream refuses other content types before it calls the handler. A request without a content
// type is a stream.
func takesStream(handle func(*call) *answer) func(*call) *answer {
	return func(c *call) *answer {
		typ, _, _ := strings.Cut(headerValue(c.req.Header, "Content-Type"), ";")
		if typ = strings.TrimSpace(typ); !strings.EqualFold(typ, "application/octet-stream") && (typ != "" || c.odd(OddityUploadTypeRequired)) {
			return fail(http.StatusUnsupportedMediaType, msgContentType)
		}
		return handle(c)
	}
}

// uploadContent stores the content of a document or report.
func (c *call) uploadContent(g *group) *answer {
	put := c.req.Method == http.MethodPut
	switch {
	case len(c.body) == 0:
		return fail(http.StatusBadRequest, msgContentEmpty)
	case g.values["malware"] == "true" && !protectedZip(c.body):
		return fail(http.StatusBadRequest, msgNotProtected)
	case put && g.content == nil:
		return fail(http.StatusBadRequest, msgContentMissing)
	case !put && g.content != nil && (c.putOnly || !c.flag("updateIfExists")):
		return fail(http.StatusUnauthorized, msgContentExists)
	}
	g.content = slices.Clone(c.body)
	g.modified = c.seconds()
	return success(http.StatusOK)
}

// protectedZip reports whether the first file of a zip archive, after any folders, is encrypted.
func protectedZip(b []byte) bool {
	for len(b) >= 30 && string(b[:4]) == "PK\x03\x04" {
		if b[6]&1 != 0 {
			return true
		}
		name, extra := int(binary.LittleEndian.Uint16(b[26:])), int(binary.LittleEndian.Uint16(b[28:]))
		if len(b) < 30+name+extra || name == 0 || b[30+name-1] != '/' {
			return false
		}
		b = b[30+name+extra:]
	}
	return false
}

func (c *call) downloadContent(g *group) *answer {
	if g.content == nil {
		return missing()
	}
	return raw("application/octet-stream", g.content)
}

func (c *call) downloadSignature(g *group) *answer {
	return raw(textType, []byte(g.values["fileText"]))
}

// raw responds with bytes without an envelope.
func raw(contentType string, body []byte) *answer {
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// reportGroup responds with a PDF file of one empty page.
func (c *call) reportGroup(g *group) *answer {
	if g.typ.name == "Document" || g.typ.name == "Email" {
		return fail(http.StatusBadRequest, msgNoReportForType)
	}
	return raw("application/pdf", emptyPDF())
}

func emptyPDF() []byte {
	b := []byte("%PDF-1.4\n")
	var places []int
	for n, object := range []string{"<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"} {
		places = append(places, len(b))
		b = fmt.Appendf(b, "%d 0 obj%sendobj\n", n+1, object)
	}
	start := len(b)
	b = append(b, "xref\n0 4\n0000000000 65535 f \n"...)
	for _, p := range places {
		b = fmt.Appendf(b, "%010d 00000 n \n", p)
	}
	return fmt.Appendf(b, "trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", start)
}

// Publication is a published group.
type Publication struct {
	Owner            string
	XID              string   // xid of the group
	ExcludeLabels    []string // names of security labels; items with one of them are excluded
	ExcludeUnlabeled bool     // whether items without a label are excluded
}

// Publications returns the published groups, oldest first.
func (s *Server) Publications() []Publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.published)
}

func (c *call) publishGroup(g *group) *answer {
	p := Publication{Owner: g.owner.Name, XID: g.xid}
	if len(c.body) > 0 {
		f, ok := readFields(c.body)
		if list, has := f.raw("securityLabelList"); has {
			ok = json.Unmarshal(list, &p.ExcludeLabels) == nil
		}
		if ok && f.has("excludeUnlabeled") {
			p.ExcludeUnlabeled, ok = f.flag("excludeUnlabeled")
		}
		if !ok {
			return fail(http.StatusBadRequest, msgMalformed)
		}
	}
	c.published = append(c.published, p)
	return success(http.StatusOK)
}
