package threatconnecttest

import (
	"fmt"
	"math/bits"
	"strings"
)

// term is the name and description of a constant. A test compares both with the declaration.
type term struct{ name, about string }

// faultTerms has the order of the constants, which start at 1.
var faultTerms = [...]term{
	{"status", "respond with Status, Header and Body instead of processing the request"},
	{"reset", "reset the connection before processing the request"},
	{"lostReply", "process the request, then reset the connection"},
	{"cutBody", "process the request, then break off the response body with an error"},
	{"truncate", "process the request, then end the response body early without an error"},
	{"html", "respond with a login page and status 200, as a proxy does"},
	{"garbage", "respond with random bytes and status 200"},
	{"empty", "respond with an empty body and status 200"},
	{"endless", "process the request, then send a response body that never ends"},
	{"delay", "wait for Delay, then process the request"},
	{"lateStatus", "process the request, then respond with Status, Header and Body"},
	{"earlyStatus", "respond with Status, Header and Body before reading the request body"},
	{"cutUpload", "read half of the request body, then reset the connection"},
	{"slowUpload", "read half of the request body, wait for Delay, read the rest and process the request"},
}

// oddityTerms has the order of the bits.
var oddityTerms = [...]term{
	{"stringIDs", "IDs are strings of digits"},
	{"zonelessDates", "dates have no time zone: 2026-01-02T03:04:05"},
	{"offsetDates", "dates have an offset: 2026-01-01T22:04:05-05:00"},
	{"malformedDates", "dates of observations have both an offset and a Z: 2026-01-01T22:04:05-05:00Z"},
	{"stringBools", `booleans are the strings "true" and "false"`},
	{"realBools", "dnsActive, whoisActive, custom and parsable are booleans instead of strings"},
	{"stringNumbers", "ratings and confidences are strings"},
	{"integerRatings", "a rating of 3 is 3 instead of 3.0"},
	{"ownerObjectInLists", "list elements contain owner objects instead of owner names"},
	{"missingResultCount", "lists have no result count"},
	{"emptyAs404", "an empty list has status 404"},
	{"emptyWithoutKey", "an empty list has no key in data"},
	{"loneObjects", "a list with one element is the element itself"},
	{"plainTextErrors", "errors are bare sentences in text/plain"},
	{"errorWord", `errors have the status "Error" instead of "Failure"`},
	{"failureWith200", "not-found errors have HTTP status 200"},
	{"createRefusesExists", "creating an existing indicator returns status 400"},
	{"additionalTypesKey", `indicator types with additional fields have the key "indicator"`},
	{"bareStatus", `batch responses have no envelope: {"status":"Running"}`},
	{"bareBatchID", `the response to creating a batch job is {"batchId":"7"}`},
	{"missingCounts", "batch counts of 0 are omitted"},
	{"lateErrors", "the error file returns status 404 once after the job completes"},
	{"plainErrorFile", "the error file is uncompressed text/plain"},
	{"bareCompleted", "batch responses for completed jobs have no envelope"},
	{"forbiddenBatch", "a refused batch job returns status 403 in JSON instead of a sentence"},
	{"associationsApart", "batch totals do not include associations"},
	{"errorObjects", "the source of an error in the error file is an object"},
	{"doubledSpaces", "hashes in the source of an error have two spaces around the colon"},
	{"eventDateRequired", "creating an event or incident without an eventDate returns status 400"},
	{"uploadTypeRequired", "uploading a document or report without a Content-Type returns status 415"},
	{"dataStoreNeedsToken", "the DataStore refuses signed requests and requires a token"},
	{"bareIndicatorLinks", "two indicators can be associated without an association type"},
	{"idsOfEveryOwner", "groups, tasks and victims of other owners are found by ID without an owner"},
	{"exactTypeNames", "batch files must spell types as documented: URL, Event, Snort"},
}

// lapseTerms has the order of the constants, which start at 1.
var lapseTerms = [...]term{
	{"unverified", "requests with a refused signature or token"},
	{"unknownRoutes", "requests to endpoints that do not exist"},
	{"unusedFaults", "faults that never strike"},
}

// FaultKinds returns all kinds of faults.
func FaultKinds() []FaultKind {
	all := make([]FaultKind, len(faultTerms))
	for i := range all {
		all[i] = FaultKind(i + 1)
	}
	return all
}

func (k FaultKind) known() bool { return k > 0 && int(k) <= len(faultTerms) }

// String returns the name, such as "lostReply", or "none" for 0.
func (k FaultKind) String() string {
	switch {
	case k == 0:
		return "none"
	case !k.known():
		return fmt.Sprintf("FaultKind(%d)", int(k))
	}
	return faultTerms[k-1].name
}

// Description returns a description of the kind, or "" if the kind is unknown.
func (k FaultKind) Description() string {
	if !k.known() {
		return ""
	}
	return faultTerms[k-1].about
}

// MarshalText returns the name, or an error if the kind is unknown.
func (k FaultKind) MarshalText() ([]byte, error) {
	if k != 0 && !k.known() {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; use one of the constants", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText parses a name returned by String.
func (k *FaultKind) UnmarshalText(text []byte) error {
	i, err := lookUp(faultTerms[:], "kind of fault", string(text))
	*k = FaultKind(i + 1)
	return err
}

// Oddities returns all oddities, one per element.
func Oddities() []Oddity {
	all := make([]Oddity, len(oddityTerms))
	for i := range all {
		all[i] = 1 << i
	}
	return all
}

// String returns the names separated by |, such as "stringIDs|zonelessDates", or "none" for 0.
func (o Oddity) String() string {
	if o == 0 {
		return "none"
	}
	var names []string
	for _, one := range Oddities() {
		if o&one != 0 {
			names = append(names, oddityTerms[bits.TrailingZeros64(uint64(one))].name)
		}
	}
	if unknown := o &^ OddityAll; unknown != 0 {
		names = append(names, fmt.Sprintf("Oddity(%#x)", uint64(unknown)))
	}
	return strings.Join(names, "|")
}

// Description returns a description of a single oddity, or "" for unknown and combined oddities.
func (o Oddity) Description() string {
	if bits.OnesCount64(uint64(o)) != 1 || o&OddityAll == 0 {
		return ""
	}
	return oddityTerms[bits.TrailingZeros64(uint64(o))].about
}

// MarshalText returns the names like String, or an error if o has unknown bits.
func (o Oddity) MarshalText() ([]byte, error) {
	if o&^OddityAll != 0 {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; combine the constants", o&^OddityAll)
	}
	return []byte(o.String()), nil
}

// UnmarshalText parses names returned by String, in any order.
func (o *Oddity) UnmarshalText(text []byte) error {
	*o = 0
	for name := range strings.SplitSeq(string(text), "|") {
		i, err := lookUp(oddityTerms[:], "oddity", name)
		switch {
		case err != nil:
			return err
		case i >= 0:
			*o |= 1 << i
		}
	}
	return nil
}

// String returns the name, such as "unverified".
func (l Lapse) String() string {
	if l < 1 || int(l) > len(lapseTerms) {
		return fmt.Sprintf("Lapse(%d)", int(l))
	}
	return lapseTerms[l-1].name
}

// MarshalText returns the name, or an error if the lapse is unknown.
func (l Lapse) MarshalText() ([]byte, error) {
	if l < 1 || int(l) > len(lapseTerms) {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; use one of the constants", l)
	}
	return []byte(l.String()), nil
}

// UnmarshalText parses a name returned by String.
func (l *Lapse) UnmarshalText(text []byte) error {
	i, err := lookUp(lapseTerms[:], "lapse", string(text))
	*l = Lapse(i + 1)
	return err
}

// lookUp returns the index of a name in terms, or -1 for "" and "none".
func lookUp(terms []term, what, name string) (int, error) {
	if name == "" || name == "none" {
		return -1, nil
	}
	var known []string
	for i, t := range terms {
		if t.name == name {
			return i, nil
		}
		known = append(known, t.name)
	}
	return -1, fmt.Errorf("threatconnecttest: unknown %s %q; use one of %s", what, name, strings.Join(known, ", "))
}
