package threatconnect

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// sentence is a known sentence of the platform's error responses.
//
// In its text, @ matches a noun of the platform, for example "Host" or "MD5", and # matches a number. Case,
// white space and a final period are ignored.
type sentence struct {
	text     string
	more     string  // bytes that can begin further text, which APIError.Message omits
	statuses []int   // statuses of 300 and above that the sentence can have; those below are always possible
	kinds    []error // Err variables that it matches, in addition to those of the status
	hint     string  // how to fix the error
}

const (
	sentenceNotFound = "The requested resource was not found"
	sentenceNoPath   = "Could not find resource for relative"
)

const (
	hintBatchDisabled = "ask the platform's administrator to switch on batchJobEnabled and document storage"
	hintBatchRole     = "the API user may not import into this owner: it needs the role of a Standard User in an organization, of an Editor in a community or source"
	hintSignature     = "check the secret key: a shell expands $ and ! in it unless it stands in single quotes"
)

var (
	badRequest   = []int{http.StatusBadRequest}
	unauthorized = []int{http.StatusUnauthorized}
	forbidden    = []int{http.StatusForbidden}
	notFound     = []int{http.StatusNotFound, http.StatusBadRequest}
	unavailable  = []int{http.StatusServiceUnavailable}
	serverError  = []int{http.StatusInternalServerError}
	exists       = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusConflict}
	refused      = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden} // the documentation does not name the status
)

// sentences are all known sentences of the platform. The meaning of a response depends only on them and on
// its status, never on words in other text, which can repeat a value.
var sentences = []sentence{
	{text: "Signature data did not match expected result", statuses: refused, kinds: []error{ErrSignature}, hint: hintSignature},
	{text: "Timestamp out of acceptable time range", statuses: refused, kinds: []error{ErrClockSkew}},
	{text: "Invalid timestamp", statuses: refused, kinds: []error{ErrClockSkew}},
	{text: "Unauthorized", statuses: unauthorized, kinds: []error{ErrTokenRefused}, hint: "the token has expired or was regenerated, or the call takes API tokens only"},
	{text: "Access Denied", statuses: refused, kinds: []error{ErrForbidden}, hint: "check the access id, and that the API user can see the owner"},
	{text: "The requested @ was not @ - access was denied", statuses: refused},
	{text: "You do not have permission to create", more: ",", statuses: refused, hint: hintBatchRole},
	{text: "Organization not authorized for batch", statuses: refused, hint: hintBatchRole},
	{text: "Document storage not enabled for this instance", statuses: append(forbidden, unavailable...), kinds: []error{ErrBatchDisabled}, hint: hintBatchDisabled},
	{text: "Batch job api is not available. Ensure that batchJobEnabled is true and document storage", more: " ", statuses: unavailable, kinds: []error{ErrBatchDisabled}, hint: hintBatchDisabled},
	{text: "Batch job api is not available. Ensure that batchJobEnabled is true", statuses: unavailable, kinds: []error{ErrBatchDisabled}, hint: hintBatchDisabled},
	{text: "API access has not been licensed for this system", more: ".,;:", statuses: unavailable, kinds: []error{ErrNotLicensed}, hint: "ask the platform's administrator to license the API"},
	{text: "The request must be made over HTTPS", statuses: forbidden, hint: "the platform takes https:// only: does a proxy on the way, or the base URL, speak http://?"},

	{text: "The requested owner was not found", statuses: append(forbidden, notFound...), kinds: []error{ErrOwnerRefused}, hint: "list the owners that the API user can see with client.Owners"},
	{text: "The owners of the requested objects were different", statuses: refused, kinds: []error{ErrOwnerRefused}, hint: "things in different owners cannot be linked"},
	{text: sentenceNotFound, statuses: notFound, kinds: []error{ErrNotFound}},
	{text: "The requested @ was not found", statuses: notFound, kinds: []error{ErrNotFound}},
	{text: sentenceNoPath, more: " :", statuses: serverError},
	{text: "An unknown error occurred", statuses: append(serverError, badRequest...)},

	{text: "The @ for this @ is invalid, a @ with this @ already exists", statuses: exists, kinds: []error{ErrExists}},
	{text: "A @ with this @ already exists", statuses: exists, kinds: []error{ErrExists}},
	{text: "The @ already exists", statuses: exists, kinds: []error{ErrExists}},
	{text: "The content of this @ already exists", statuses: exists, kinds: []error{ErrExists}},
	{text: "There is no content that could be replaced", statuses: badRequest},
	{text: "The content is empty", statuses: badRequest},
	{text: "Malware must be a zip file that is protected with a password", statuses: badRequest},
	{text: "There are no reports about groups of this type", statuses: badRequest},

	{text: "The request was not properly formed", statuses: badRequest},
	{text: "Please enter a valid @", statuses: badRequest},
	{text: "Please enter the @ in number of milliseconds since January 1, 1970, 00:00:00 GMT", statuses: badRequest},
	{text: "The @ for this @ is invalid, please enter a @ between #-# characters in length", statuses: badRequest},
	{text: "The @ for this @ is invalid, please enter a @ between #-#", statuses: badRequest},
	{text: "The @ for this @ is invalid, please enter one of the following values:", more: " ", statuses: badRequest},
	{text: "The @ for this @ is invalid", more: ",:", statuses: badRequest},
	{text: "The @ is invalid, please enter one of the following values:", more: " ", statuses: badRequest},
	{text: "The @ is invalid", statuses: badRequest},
	{text: "The @ is required", statuses: badRequest},
	{text: "The value of this @ cannot be changed", statuses: badRequest},
	{text: "This @ is not a @", statuses: badRequest},
	{text: "This attribute requires a value", statuses: badRequest},
	{text: "A value is required for this custom metric", statuses: badRequest},
	{text: "This would exceed the number of allowed indicators for this owner", statuses: badRequest},
	{text: "The Victim must have at least one Victim Asset before it can be associated", statuses: badRequest},
	{text: "The resultStart and resultLimit query parameters must be integers and the maximum value for resultLimit is #", statuses: badRequest},
	{text: "The notification has no recipients", statuses: badRequest},

	{text: "File size greater than allowable limit of #", statuses: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, kinds: []error{ErrRequestTooLarge}},
	{text: "Batch still in @ state", statuses: badRequest},
	{text: "Batch # is in @ state and does not take a file", statuses: badRequest},
}

// nouns are the words that @ matches: types, fields and actions.
var nouns = slices.SortedFunc(slices.Values([]string{
	"Address", "EmailAddress", "Email Address", "E-mail Address", "File", "Host", "URL", "ASN", "CIDR", "Mutex", "Registry Key", "User Agent", "Email Subject", "Hashtag",
	"Adversary", "Attack Pattern", "Campaign", "Course of Action", "Document", "Email", "Event", "Incident", "Intrusion Set", "Malware", "Report", "Signature", "Tactic", "Task", "Threat", "Tool", "Vulnerability",
	"Victim", "Victim Asset", "Asset", "Attribute", "Attribute Type", "Attribute Source", "Tag", "Security Label", "Label", "Observation", "False Positive", "File Occurrence", "DNS Resolution",
	"custom metric", "metric", "notification", "playbook", "user", "owner", "resource", "indicator", "group", "batch job", "job",
	"MD5", "SHA1", "SHA-1", "SHA256", "SHA-256", "hash", "IP", "hostName", "text",
	"name", "description", "rating", "confidence", "size", "source", "value", "status", "type", "file name", "fileName", "file type", "fileType", "file text", "fileText",
	"event date", "eventDate", "due date", "dueDate", "reminder date", "reminderDate", "escalation date", "escalationDate", "publish date", "publishDate", "first seen", "firstSeen", "date", "key name", "key type",
	"header", "subject", "from", "body", "account name", "address", "phone type", "network type", "website", "social network", "nationality", "org", "suborg", "work location",
	"color", "count", "weight", "interval", "data type", "action", "version", "haltOnError", "attributeWriteType", "notificationType", "priority", "message", "ownerId", "path", "displayed",
	"created", "changed", "updated", "deleted", "removed", "added", "associated", "found",
	"queued", "running", "completed",
}), func(a, b string) int { return len(b) - len(a) }) // the longest first

// sentenceOf returns the sentence that matches text, or its beginning if further text is allowed. own is the
// sentence in the spelling of this package, with the nouns and numbers of text. whole reports whether it is
// all of text.
func sentenceOf(text string, status int) (s *sentence, own string, whole bool) {
	const longest = 4 << 10
	text = strings.ReplaceAll(strings.Join(strings.Fields(text[:min(len(text), longest)]), " "), " ,", ",")
	for i := range sentences {
		s := &sentences[i]
		if status >= 300 && !slices.Contains(s.statuses, status) {
			continue
		}
		own, rest, ok := s.match(text)
		whole := rest == "" || rest == "."
		if ok && (whole || strings.IndexByte(s.more, rest[0]) >= 0) {
			return s, own, whole
		}
	}
	return nil, "", false
}

// knownSentence returns text in quotes if it is a known sentence, and otherwise a replacement.
func knownSentence(text string) string {
	if s, own, _ := sentenceOf(text, 0); s != nil {
		return strconv.Quote(own)
	}
	return "that the call failed, in an unrecognized message"
}

// match removes the sentence from the beginning of text.
func (s *sentence) match(text string) (own, rest string, ok bool) {
	var b strings.Builder
	for pattern := s.text; ; {
		i := strings.IndexAny(pattern, "@#")
		if i < 0 {
			i = len(pattern)
		}
		if len(text) < i || !strings.EqualFold(text[:i], pattern[:i]) {
			return "", "", false
		}
		b.WriteString(pattern[:i])
		text = text[i:]
		if i == len(pattern) {
			return b.String(), text, true
		}
		word := ""
		if pattern[i] == '#' {
			word = leadingNumber(text)
		} else {
			word = leadingNoun(text)
		}
		if word == "" {
			return "", "", false
		}
		b.WriteString(word)
		pattern, text = pattern[i+1:], text[len(word):]
	}
}

// leadingNumber returns the digits at the beginning of text if they fit into an int64.
func leadingNumber(text string) string {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	if n > len("1000000000000000000") {
		return ""
	}
	return text[:n]
}

// leadingNoun returns the noun at the beginning of text.
func leadingNoun(text string) string {
	for _, noun := range nouns {
		if n := len(noun); len(text) >= n && strings.EqualFold(text[:n], noun) && (len(text) == n || !isWordByte(text[n])) {
			return text[:n]
		}
	}
	return ""
}

func isWordByte(b byte) bool {
	return isDigit(b) || 'a' <= b|0x20 && b|0x20 <= 'z' || b == '-' || b == '_'
}
