package threatconnecttest

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
)

// batchConfig is the configuration of a job.
type batchConfig struct {
	version    string // V1 or V2
	owner      *owner
	halt       bool
	action     string // Create or Delete
	attributes string // Append, Replace, Singleton or Static
	tags       string // Append or Replace
	labels     string // Append or Replace
	merge      string // Merge or Distribute
	collision  string
}

// readConfig parses and validates a configuration. It ignores unknown members.
func (c *call) readConfig(body []byte) (cfg batchConfig, bad *answer) {
	f, ok := readFields(body)
	if !ok {
		return cfg, invalid(http.StatusBadRequest, msgMalformed)
	}
	oneOf := func(name, fallback string, values ...string) string {
		v, there := f.text(name)
		switch {
		case !there && fallback != "":
			return fallback
		case !there && bad == nil:
			bad = invalid(http.StatusBadRequest, "The "+name+" is required")
		case !slices.Contains(values, v) && bad == nil:
			bad = invalid(http.StatusBadRequest, "The "+name+" is invalid , please enter one of the following values: "+strings.Join(values, ", "))
		}
		return v
	}
	cfg.version = oneOf("version", "V1", "V1", "V2")
	cfg.action = oneOf("action", "", "Create", "Delete")
	writeTypes := []string{"Append", "Replace", "Singleton", "Static"}
	if cfg.version == "V1" {
		writeTypes = []string{"Append", "Replace", "Static"}
	}
	cfg.attributes = oneOf("attributeWriteType", "", writeTypes...)
	cfg.tags = oneOf("tagWriteType", "Replace", "Append", "Replace")
	cfg.labels = oneOf("securityLabelWriteType", "Replace", "Append", "Replace")
	cfg.merge = oneOf("fileMergeMode", "Merge", "Merge", "Distribute")
	cfg.collision = oneOf("hashCollisionMode", "FavorIncoming", "FavorExisting", "FavorIncoming", "IgnoreExisting", "IgnoreIncoming", "Split")
	cfg.halt = oneOf("haltOnError", "", "true", "false") == "true"
	if bad != nil {
		return cfg, bad
	}
	if cfg.version == "V1" {
		cfg.tags, cfg.labels = "Append", "Append"
	}
	name, _ := f.text("owner")
	if name == "" {
		return cfg, invalid(http.StatusBadRequest, "The owner is required")
	}
	if cfg.owner = c.ownerByName(name); cfg.owner == nil {
		return cfg, fail(http.StatusForbidden, msgOwner)
	}
	if !c.allowed(cfg.owner) {
		if c.odd(OddityForbiddenBatch) {
			return cfg, notAuthorized("Organization not authorized for batch")
		}
		return cfg, text(http.StatusUnauthorized, "You do not have permission to create, update or delete Groups, Indicators, Attributes, "+
			"Tags and Security Labels in this owner")
	}
	return cfg, nil
}

// createAndUpload reads the configuration and the content of a job from the two parts of a form.
func (c *call) createAndUpload() *answer {
	parts, ok := c.parts("config", "content")
	if !ok {
		return invalid(http.StatusBadRequest, msgMalformed)
	}
	j, bad := c.newJob(parts["config"])
	if bad != nil {
		return bad
	}
	if j.config.action == "Delete" {
		return invalid(http.StatusBadRequest, "The action is invalid , please enter one of the following values: Create")
	}
	content := parts["content"]
	if bad := c.tooLarge(content); bad != nil {
		return bad
	}
	j.synchronous = len(content) < c.batch.synchronous
	c.addJob(j)
	c.start(c.settings, j, content, c.now)
	if j.synchronous {
		return c.jobStatus(http.StatusOK, j)
	}
	return c.jobStatus(http.StatusAccepted, &job{id: j.id, status: jobQueued})
}

// parts reads the parts of a form. All of the names are required.
func (c *call) parts(names ...string) (map[string][]byte, bool) {
	mediaType, options, err := mime.ParseMediaType(headerValue(c.req.Header, "Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return nil, false
	}
	form := multipart.NewReader(bytes.NewReader(c.body), options["boundary"])
	parts := map[string][]byte{}
	for {
		p, err := form.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, false
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(p); err != nil {
			return nil, false
		}
		parts[p.FormName()] = b.Bytes()
	}
	for _, name := range names {
		if parts[name] == nil {
			return nil, false
		}
	}
	return parts, true
}
