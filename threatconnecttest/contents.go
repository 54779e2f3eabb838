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
		{method: "GET", pattern: "/v2/groups/signatures/{id}/download", handle: (*call).downloadSignature},
		{method: "GET", pattern: "/v2/groups/{type}/{id}/pdf", handle: (*call).reportGroup},
		{method: "POST", pattern: "/v2/groups/{type}/{id}/publish", handle: (*call).publishGroup},
	}
	for _, branch := range []string{"documents", "reports"} {
		upload := func(c *call) *answer { return c.uploadContent(groupTypeByBranch(branch)) }
		routes = append(routes,
			route{method: "GET", pattern: "/v2/groups/" + branch + "/{id}/download", handle: func(c *call) *answer { return c.downloadContent(groupTypeByBranch(branch)) }},
			route{method: "POST", pattern: "/v2/groups/" + branch + "/{id}/upload", handle: upload},
			route{method: "PUT", pattern: "/v2/groups/" + branch + "/{id}/upload", handle: upload})
	}
	return routes
}

// WithoutUpdateIfExists makes the server overlook updateIfExists, so that content which exists can
// only be put.
func WithoutUpdateIfExists() Option { return func(s *Server) { s.putOnly = true } }

// groupOfType is the group of a type that the path names by id.
func (c *call) groupOfType(t *groupType) (*group, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	g := c.groupByID[c.id("id")]
	if g == nil || g.owner != o || g.typ != t {
		return nil, missing()
	}
	return g, nil
}

// uploadContent takes the bytes of a document or report, which the path names by id or xid.
func (c *call) uploadContent(t *groupType) *answer {
	o, bad := c.writableOwner()
	if bad != nil {
		return bad
	}
	g := c.groupByID[c.id("id")]
	if g == nil {
		g = c.groupByXID[c.params.get("id")]
	}
	if g == nil || g.owner != o || g.typ != t {
		return missing()
	}
	typ, _, _ := strings.Cut(headerValue(c.req.Header, "Content-Type"), ";")
	put := c.req.Method == http.MethodPut
	switch {
	case !strings.EqualFold(strings.TrimSpace(typ), "application/octet-stream"):
		return fail(http.StatusUnsupportedMediaType, msgContentType)
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

// protectedZip reports whether the first file of a zip, which folders may stand before, is
// encrypted.
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

func (c *call) downloadContent(t *groupType) *answer {
	g, bad := c.groupOfType(t)
	if bad != nil {
		return bad
	}
	if g.content == nil {
		return missing()
	}
	return raw("application/octet-stream", g.content)
}

func (c *call) downloadSignature() *answer {
	g, bad := c.groupOfType(groupTypeByBranch("signatures"))
	if bad != nil {
		return bad
	}
	return raw(textType, []byte(g.values["fileText"]))
}

// raw answers bytes that have no envelope.
func raw(contentType string, body []byte) *answer {
	return &answer{status: http.StatusOK, header: http.Header{"Content-Type": {contentType}}, body: body}
}

// reportGroup answers a PDF file of one empty page.
func (c *call) reportGroup() *answer {
	g, bad := c.group()
	if bad != nil {
		return bad
	}
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

// Publication is a group that was published.
type Publication struct {
	Owner            string
	XID              string   // of the group
	ExcludeLabels    []string // names of security labels: what carries one is left out
	ExcludeUnlabeled bool     // whether what carries none is left out
}

// Publications returns what was published, oldest first.
func (s *Server) Publications() []Publication {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.published)
}

func (c *call) publishGroup() *answer {
	if _, bad := c.writableOwner(); bad != nil {
		return bad
	}
	g, bad := c.group()
	if bad != nil {
		return bad
	}
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
