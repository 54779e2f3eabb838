package threatconnecttest

import (
	"fmt"
	"math/bits"
	"strings"
)

// term names a constant and describes it. Tests compare both with the declaration.
type term struct{ name, about string }

// faultTerms are in the order of the constants, which begin with 1.
var faultTerms = [...]term{
	{"status", "Status, Header and Body are answered instead of processing"},
	{"reset", "the connection is reset before the request is processed"},
	{"lostReply", "the request is processed, then the connection is reset"},
	{"cutBody", "the request is processed; the answer's body breaks off with an error"},
	{"truncate", "the request is processed; the answer's body ends early, without an error"},
	{"html", "a login page with status 200, as a proxy answers it"},
	{"garbage", "random bytes with status 200"},
	{"empty", "an empty body with status 200"},
	{"endless", "the request is processed; the answer's body never ends"},
	{"delay", "the request is processed after Delay"},
	{"lateStatus", "the request is processed, then Status, Header and Body are answered"},
	{"earlyStatus", "Status, Header and Body are answered before the request's body is read"},
	{"cutUpload", "half of the request's body is read, then the connection is reset"},
	{"slowUpload", "half of the request's body is read, the rest after Delay; then it is processed"},
}

// oddityTerms are in the order of the bits.
var oddityTerms = [...]term{
	{"stringIDs", "ids are strings of digits"},
	{"zonelessDates", "dates have no zone: 2026-01-02T03:04:05"},
	{"offsetDates", "dates have an offset: 2026-01-01T22:04:05-05:00"},
	{"malformedDates", "dates of observations have an offset and a Z: 2026-01-01T22:04:05-05:00Z"},
	{"stringBools", `booleans are the strings "true" and "false"`},
	{"realBools", "dnsActive, whoisActive, custom, parsable are booleans, not strings"},
	{"stringNumbers", "ratings and confidences are strings"},
	{"integerRatings", "a rating of 3 is 3, not 3.0"},
	{"ownerObjectInLists", "elements of lists have owner objects instead of owner names"},
	{"missingResultCount", "lists never say how many there are"},
	{"emptyAs404", "an empty list is a 404"},
	{"emptyWithoutKey", "an empty list has no key in data"},
	{"loneObjects", "a list of one is the object itself"},
	{"plainTextErrors", "errors are bare sentences of text/plain"},
	{"errorWord", `errors have the status "Error", not "Failure"`},
	{"failureWith200", "errors of missing things come with HTTP status 200"},
	{"createRefusesExists", "creating an indicator that is there is a 400"},
	{"additionalTypesKey", `indicator types with additional fields come under "indicator"`},
	{"bareStatus", `batch answers have no envelope: {"status":"Running"}`},
	{"bareBatchID", `a created batch job is {"batchId":"7"}`},
	{"missingCounts", "batch counts that are 0 are left out"},
	{"lateErrors", "the error file answers 404 once more after the job is completed"},
	{"plainErrorFile", "the error file is text/plain and not compressed"},
	{"bareCompleted", "batch answers of completed jobs have no envelope either"},
	{"forbiddenBatch", "a batch job that cannot be made is a 403 in JSON, not a sentence"},
	{"associationsApart", "the sums of batch counts leave associations out"},
	{"errorObjects", "the source of an error in the error file is an object"},
	{"doubledSpaces", "the hashes in the source of an error have two spaces around the colon"},
	{"eventDateRequired", "creating an event or incident without an eventDate is a 400"},
	{"uploadTypeRequired", "uploading a document or report without a Content-Type is a 415"},
	{"dataStoreNeedsToken", "the DataStore refuses signed requests: it wants a token"},
	{"bareIndicatorLinks", "two indicators can be associated without an association type"},
	{"idsOfEveryOwner", "groups, tasks and victims of other owners are found by their ids without an owner"},
	{"exactTypeNames", "batch files must name types as documented: URL, Event, Snort"},
}

// lapseTerms are in the order of the constants, which begin with 1.
var lapseTerms = [...]term{
	{"unverified", "requests whose signature or token is refused"},
	{"unknownRoutes", "requests for which there is no endpoint"},
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

// known reports whether k is one of the constants.
func (k FaultKind) known() bool { return k > 0 && int(k) <= len(faultTerms) }

// String returns the name, such as "lostReply", and "none" for 0.
func (k FaultKind) String() string {
	switch {
	case k == 0:
		return "none"
	case !k.known():
		return fmt.Sprintf("FaultKind(%d)", int(k))
	}
	return faultTerms[k-1].name
}

// Description returns a sentence about the kind, or "" if it is unknown.
func (k FaultKind) Description() string {
	if !k.known() {
		return ""
	}
	return faultTerms[k-1].about
}

// MarshalText returns the name. An unknown kind is an error.
func (k FaultKind) MarshalText() ([]byte, error) {
	if k != 0 && !k.known() {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; use one of the constants", k)
	}
	return []byte(k.String()), nil
}

// UnmarshalText reads a name that String returns.
func (k *FaultKind) UnmarshalText(text []byte) error {
	i, err := lookUp(faultTerms[:], "kind of fault", string(text))
	*k = FaultKind(i + 1)
	return err
}

// Oddities returns every single oddity.
func Oddities() []Oddity {
	all := make([]Oddity, len(oddityTerms))
	for i := range all {
		all[i] = 1 << i
	}
	return all
}

// String returns the names, separated by |, such as "stringIDs|zonelessDates", and "none" for 0.
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

// Description returns a sentence about a single oddity, or "" if it is unknown or a combination.
func (o Oddity) Description() string {
	if bits.OnesCount64(uint64(o)) != 1 || o&OddityAll == 0 {
		return ""
	}
	return oddityTerms[bits.TrailingZeros64(uint64(o))].about
}

// MarshalText returns the names, as String does. Unknown bits are an error.
func (o Oddity) MarshalText() ([]byte, error) {
	if o&^OddityAll != 0 {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; combine the constants", o&^OddityAll)
	}
	return []byte(o.String()), nil
}

// UnmarshalText reads names that String returns, in any order.
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

// MarshalText returns the name. An unknown lapse is an error.
func (l Lapse) MarshalText() ([]byte, error) {
	if l < 1 || int(l) > len(lapseTerms) {
		return nil, fmt.Errorf("threatconnecttest: %v is unknown; use one of the constants", l)
	}
	return []byte(l.String()), nil
}

// UnmarshalText reads a name that String returns.
func (l *Lapse) UnmarshalText(text []byte) error {
	i, err := lookUp(lapseTerms[:], "lapse", string(text))
	*l = Lapse(i + 1)
	return err
}

// lookUp finds a name among terms. It returns -1 for "" and "none".
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
