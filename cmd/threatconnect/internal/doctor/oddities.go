package doctor

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect/threatconnecttest"
)

// presence is whether an instance has an oddity.
type presence string

const (
	seen    presence = "seen"
	absent  presence = "not seen"
	unclear presence = "unknown" // no response shows it
)

// oddity is a difference between instances, with its detection.
type oddity struct {
	set    threatconnecttest.Oddity
	writes bool // detected only with --write
	detect func(all []*exchange) presence
}

// oddities are those that docs/wire.md lists.
var oddities = []oddity{
	{threatconnecttest.OddityStringIDs, false,
		written(keys("id"), kinds(isIntegerText), kinds(isInteger))},
	{threatconnecttest.OddityZonelessDates, false,
		written(keys("dateAdded", "lastModified"), kinds(isDateLocal), kinds(isDateUTC, isDateOffset))},
	{threatconnecttest.OddityOffsetDates, false,
		written(keys("dateAdded", "lastModified"), kinds(isDateOffset), kinds(isDateUTC, isDateLocal))},
	{threatconnecttest.OddityMalformedDates, false,
		written(keys("dateObserved"), kinds(isDateOffsetAndZ), kinds(isDateUTC, isDateLocal, isDateOffset))},
	{threatconnecttest.OddityStringBools, false,
		written(keys("active", "activeLocked", "privateFlag", "system", "allowMarkdown"), kinds(isBoolText), kinds(isBool))},
	{threatconnecttest.OddityRealBools, false,
		written(keys("custom", "parsable", "dnsActive", "whoisActive", "fileAction"), kinds(isBool), kinds(isBoolText))},
	{threatconnecttest.OddityStringNumbers, false,
		written(keys("rating", "confidence"), kinds(isIntegerText, isWholeText, isDecimalText), kinds(isInteger, isWhole, isDecimal))},
	{threatconnecttest.OddityIntegerRatings, false,
		written(keys("rating"), kinds(isInteger, isIntegerText), kinds(isWhole, isWholeText))},
	{threatconnecttest.OddityOwnerObjectInLists, false,
		eachResponse(ownerInList)},
	{threatconnecttest.OddityMissingResultCount, false,
		eachResponse(countMissing)},
	{threatconnecttest.OddityEmptyAs404, false, emptyList(
		func(x *exchange) bool { return x.status == 404 })},
	{threatconnecttest.OddityEmptyWithoutKey, false, emptyList(
		func(x *exchange) bool {
			return x.status == 200 && !x.has("data.indicator", isArray, isObject, isNull)
		})},
	{threatconnecttest.OddityLoneObjects, false, on("GET /v2/types/indicatorTypes",
		func(x *exchange) presence {
			if x.query.Get("resultLimit") != "1" {
				return unclear
			}
			return either(x.has("data.indicatorType", isObject) || x.has("data.indicator", isObject), x.has("data.indicatorType", isArray) || x.has("data.indicator", isArray))
		})},
	{threatconnecttest.OddityPlainTextErrors, false, on(missingRoute,
		func(x *exchange) presence {
			return either(x.status == 404 && x.mediaType() == "text/plain" && len(x.body) > 0, x.word() != "")
		})},
	{threatconnecttest.OddityErrorWord, false, on(missingRoute,
		func(x *exchange) presence { return either(x.word() == "Error", x.word() == "Failure") })},
	{threatconnecttest.OddityFailureWith200, false, on(missingRoute,
		func(x *exchange) presence {
			return either(x.status == 200 && x.word() != "" && x.word() != "Success", x.status == 404)
		})},
	{threatconnecttest.OddityCreateRefusesExists, true, on("POST /v2/indicators/hosts",
		func(x *exchange) presence { return either(x.status == 400, x.status/100 == 2) })},
	{threatconnecttest.OddityAdditionalTypesKey, false, on("GET /v2/types/indicatorTypes",
		func(x *exchange) presence {
			if x.query.Get("includeAdditional") != "true" {
				return unclear
			}
			return either(x.has("data.indicator", isArray, isObject), x.has("data.indicatorType", isArray, isObject))
		})},
	{threatconnecttest.OddityBareStatus, true, eachResponse(
		func(x *exchange) presence {
			bare := x.ofJob() && x.has("status", isText) && !x.has("data", isObject) && slices.Contains([]string{"Created", "Queued", "Running"}, x.word())
			return either(bare, x.ofJob() && x.has("data.batchStatus", isObject) && x.job().Status != "Completed")
		})},
	{threatconnecttest.OddityBareBatchID, true, on("POST /v2/batch",
		func(x *exchange) presence {
			return either(x.has("batchId", isInteger, isIntegerText), x.has("data.batchId", isInteger, isIntegerText))
		})},
	{threatconnecttest.OddityMissingCounts, true, eachResponse(
		func(x *exchange) presence {
			j := x.job()
			return either(j.Status == "Completed" && (j.Errors == nil || j.Success == nil || j.Unprocessed == nil), j.Status == "Completed")
		})},
	{threatconnecttest.OddityLateErrors, true, lateErrors},
	{threatconnecttest.OddityPlainErrorFile, true, on(errorsRoute,
		func(x *exchange) presence {
			return either(x.status == 200 && x.mediaType() == "text/plain", x.mediaType() == "application/octet-stream")
		})},
	{threatconnecttest.OddityBareCompleted, true, eachResponse(
		func(x *exchange) presence {
			done := x.job().Status == "Completed"
			return either(done && !x.has("data", isObject), done)
		})},
	{threatconnecttest.OddityForbiddenBatch, true, on("POST /v2/batch",
		func(x *exchange) presence {
			return either(x.status == 403 && x.isJSON() && x.word() == "Not Authorized", (x.status == 401 || x.status == 503) && !x.isJSON())
		})},
	{threatconnecttest.OddityAssociationsApart, true, eachResponse(associationsApart)},
	{threatconnecttest.OddityErrorObjects, true, on(errorsRoute,
		func(x *exchange) presence {
			return either(x.has("[].errorSource", isObject), x.has("[].errorSource", isText))
		})},
	{threatconnecttest.OddityDoubledSpaces, true, on(errorsRoute,
		func(x *exchange) presence {
			return either(bytes.Contains(x.body, []byte("  :  ")), bytes.Contains(x.body, []byte(" : ")))
		})},
	{threatconnecttest.OddityEventDateRequired, true,
		disputed("POST /v2/groups/{}", 400, 201)},
	{threatconnecttest.OddityUploadTypeRequired, true,
		disputed("POST /v2/groups/{}/{}/{}", 415, 404)},
	{threatconnecttest.OddityDataStoreNeedsToken, true,
		on("POST /v2/exchange/{}/{}/{}/{}", func(x *exchange) presence {
			signed := strings.HasPrefix(x.authShape, "TC ")
			return either(signed && x.status == 401, signed && (x.status == 200 || x.status == 404))
		})},
	{threatconnecttest.OddityBareIndicatorLinks, true,
		disputed("POST /v2/indicators/{}/{}/{}/{}/{}", 201, 405)},
	{threatconnecttest.OddityIDsOfEveryOwner, true,
		on("GET /v2/groups/{}/{}", func(x *exchange) presence { return either(x.word() == "Success", x.status == 404) })},
	{threatconnecttest.OddityExactTypeNames, true, eachResponse(exactTypeNames)},
}

// disputed detects how the instance responds to a request of the check "disputed rules", which has a
// route of its own.
func disputed(route string, odd, usual int) func([]*exchange) presence {
	return on(route, func(x *exchange) presence { return either(x.status == odd, x.status == usual) })
}

const (
	missingRoute = "GET /v2/indicators/hosts/{}"
	errorsRoute  = "GET /v2/batch/{}/errors"
)

// either returns seen or absent if one of the conditions holds, seen first.
func either(isSeen, isAbsent bool) presence {
	switch {
	case isSeen:
		return seen
	case isAbsent:
		return absent
	}
	return unclear
}

// eachResponse returns a detection that tries detect on every response.
func eachResponse(detect func(*exchange) presence) func([]*exchange) presence {
	return func(all []*exchange) presence {
		found := unclear
		for _, x := range all {
			switch p := detect(x); {
			case p == seen:
				return seen
			case p == absent:
				found = absent
			}
		}
		return found
	}
}

// on returns a detection that tries detect on the responses of a route.
func on(route string, detect func(*exchange) presence) func([]*exchange) presence {
	return eachResponse(func(x *exchange) presence {
		if x.route != route || x.status == 0 {
			return unclear
		}
		return detect(x)
	})
}

func keys(names ...string) []string { return names }
func kinds(of ...kind) []kind       { return of }

// written detects how members of these names are written: as one of odd, or as one of usual.
func written(names []string, odd, usual []kind) func([]*exchange) presence {
	return eachResponse(func(x *exchange) presence {
		isOdd, isUsual := false, false
		for _, f := range x.shape() {
			if slices.Contains(names, f.key()) {
				isOdd = isOdd || slices.Contains(odd, f.kind)
				isUsual = isUsual || slices.Contains(usual, f.kind)
			}
		}
		return either(isOdd, isUsual)
	})
}

// has reports whether the member at path is of one of these kinds.
func (x *exchange) has(path string, of ...kind) bool {
	return slices.ContainsFunc(x.shape(), func(f fact) bool { return f.path == path && slices.Contains(of, f.kind) })
}

// word returns the status word of a response, which is not the HTTP status.
func (x *exchange) word() string {
	var v struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(x.body, &v) // a body that is not JSON has none
	return v.Status
}

// ownerInList looks at how the elements of a list name their owner.
func ownerInList(x *exchange) presence {
	isSeen, isAbsent := false, false
	for _, f := range x.shape() {
		if !strings.HasPrefix(f.path, "data.") || strings.Count(f.path, "[]") != 1 {
			continue
		}
		isSeen = isSeen || strings.HasSuffix(f.path, "[].owner") && f.kind == isObject
		isAbsent = isAbsent || strings.HasSuffix(f.path, "[].ownerName")
	}
	return either(isSeen, isAbsent)
}

// countMissing looks for the size of a list on its first page.
func countMissing(x *exchange) presence {
	switch x.route {
	case "GET /v2/owners", "GET /v2/indicators", "GET /v2/groups", "GET /v2/types/attributeTypes", "GET /v2/types/indicatorTypes":
	default:
		return unclear
	}
	start := x.query.Get("resultStart")
	if x.status != 200 || !json.Valid(x.body) || !x.has("data", isObject) || start != "" && start != "0" {
		return unclear
	}
	counted := x.has("data.resultCount", isInteger, isIntegerText)
	return either(!counted, counted)
}

// emptyList looks at a list that is known to be empty.
func emptyList(odd func(*exchange) bool) func([]*exchange) presence {
	return on("GET /v2/indicators", func(x *exchange) presence {
		if !x.query.Has("filters") || x.status != 200 && x.status != 404 {
			return unclear
		}
		return either(odd(x), true)
	})
}

// ofJob reports whether the response is about one batch job.
func (x *exchange) ofJob() bool {
	return x.route == "GET /v2/batch/{}" || x.route == "POST /v2/batch/{}"
}

// jobCounts are the counts of a batch job as they are written; nil if missing.
type jobCounts struct {
	Status      string       `json:"status"`
	Success     *json.Number `json:"successCount"`
	Errors      *json.Number `json:"errorCount"`
	Unprocessed *json.Number `json:"unprocessCount"`

	SuccessIndicators   json.Number `json:"successIndicatorCount"`
	ErrorIndicators     json.Number `json:"errorIndicatorCount"`
	SuccessGroups       json.Number `json:"successGroupCount"`
	ErrorGroups         json.Number `json:"errorGroupCount"`
	SuccessAssociations json.Number `json:"successAssociationCount"`
	ErrorAssociations   json.Number `json:"errorAssociationCount"`
}

// job returns the counts of the job that the response is about, with or without envelope.
func (x *exchange) job() jobCounts {
	var v struct {
		jobCounts
		Data struct {
			BatchStatus *jobCounts `json:"batchStatus"`
		} `json:"data"`
	}
	if !x.ofJob() || json.Unmarshal(x.body, &v) != nil {
		return jobCounts{}
	}
	if v.Data.BatchStatus != nil {
		return *v.Data.BatchStatus
	}
	return v.jobCounts
}

// associationsApart compares the sums of a completed job with their parts.
func associationsApart(x *exchange) presence {
	j := x.job()
	number := func(n json.Number) int64 {
		v, _ := n.Int64() // a missing count is 0
		return v
	}
	associations := number(j.SuccessAssociations) + number(j.ErrorAssociations)
	if j.Status != "Completed" || associations == 0 {
		return unclear
	}
	items := number(j.SuccessIndicators) + number(j.ErrorIndicators) + number(j.SuccessGroups) + number(j.ErrorGroups)
	var sum int64
	for _, n := range []*json.Number{j.Success, j.Errors} {
		if n != nil {
			sum += number(*n)
		}
	}
	return either(sum == items, sum == items+associations)
}

// exactTypeNames looks for the second job, in which an item names the type host.
func exactTypeNames(x *exchange) presence {
	j := x.job()
	good, _ := j.SuccessIndicators.Int64() // a missing count is 0
	bad, _ := j.ErrorIndicators.Int64()
	if j.Status != "Completed" || good+bad != scratchChanges {
		return unclear
	}
	return either(bad == 1, bad == 0)
}

// lateErrors looks for an error file that was missing at first.
func lateErrors(all []*exchange) presence {
	missing, found := false, false
	for _, x := range all {
		if x.route == errorsRoute {
			missing = missing || x.status == 404
			found = found || x.status == 200
		}
	}
	return either(missing && found, found)
}
