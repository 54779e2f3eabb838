package sentence

import (
	"net/http"
	"slices"
)

// HintBatchRole is the hint of an error about the role of the API user in batch imports.
const HintBatchRole = "the API user may not import into this owner: it needs the role of a Standard User in an organization, of an Editor in a community or source"

const (
	hintBatchDisabled = "ask the platform's administrator to switch on batchJobEnabled and document storage"
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
var sentences = []Sentence{
	{text: "Signature data did not match expected result", statuses: refused, Kind: Signature, Hint: hintSignature},
	{text: "Timestamp out of acceptable time range", statuses: refused, Kind: ClockSkew},
	{text: "Invalid timestamp", statuses: refused, Kind: ClockSkew},
	{text: "Unauthorized", statuses: unauthorized, Kind: TokenRefused, Hint: "the token has expired or was regenerated, or the call takes API tokens only"},
	{text: "Access Denied", statuses: refused, Kind: Forbidden, Hint: "check the access id, and that the API user can see the owner"},
	{text: "The requested @ was not @ - access was denied", statuses: refused},
	{text: "You do not have permission to create", more: ",", statuses: refused, Hint: HintBatchRole},
	{text: "Organization not authorized for batch", statuses: refused, Hint: HintBatchRole},
	{text: "Document storage not enabled for this instance", statuses: append(forbidden, unavailable...), Kind: BatchDisabled, Hint: hintBatchDisabled},
	{text: "Batch job api is not available. Ensure that batchJobEnabled is true and document storage", more: " ", statuses: unavailable, Kind: BatchDisabled, Hint: hintBatchDisabled},
	{text: "Batch job api is not available. Ensure that batchJobEnabled is true", statuses: unavailable, Kind: BatchDisabled, Hint: hintBatchDisabled},
	{text: "API access has not been licensed for this system", more: ".,;:", statuses: unavailable, Kind: NotLicensed, Hint: "ask the platform's administrator to license the API"},
	{text: "The request must be made over HTTPS", statuses: forbidden, Hint: "the platform takes https:// only: does a proxy on the way, or the base URL, speak http://?"},

	{text: "The requested owner was not found", statuses: append(forbidden, notFound...), Kind: OwnerRefused, Hint: "list the owners that the API user can see with client.Owners"},
	{text: "The owners of the requested objects were different", statuses: refused, Kind: OwnerRefused, Hint: "things in different owners cannot be linked"},
	{text: NotFound, statuses: notFound, Kind: Missing},
	{text: "The requested @ was not found", statuses: notFound, Kind: Missing},
	{text: NoPath, more: " :", statuses: serverError},
	{text: "An unknown error occurred", statuses: append(serverError, badRequest...)},

	{text: "The @ for this @ is invalid, a @ with this @ already exists", statuses: exists, Kind: Exists},
	{text: "A @ with this @ already exists", statuses: exists, Kind: Exists},
	{text: "The @ already exists", statuses: exists, Kind: Exists},
	{text: "The content of this @ already exists", statuses: exists, Kind: Exists},
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

	{text: "File size greater than allowable limit of #", statuses: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge}, Kind: RequestTooLarge},
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
