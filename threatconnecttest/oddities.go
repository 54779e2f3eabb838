package threatconnecttest

// Oddity is a set of differences between instances, versions and documents of the platform. The
// zero value selects the response shapes that existing clients are known to accept.
type Oddity uint64

// The oddities. Combine them with |.
const (
	OddityStringIDs           Oddity = 1 << iota // IDs are strings of digits
	OddityZonelessDates                          // dates have no time zone: 2026-01-02T03:04:05
	OddityOffsetDates                            // dates have an offset: 2026-01-01T22:04:05-05:00
	OddityMalformedDates                         // dates of observations have both an offset and a Z: 2026-01-01T22:04:05-05:00Z
	OddityStringBools                            // booleans are the strings "true" and "false"
	OddityRealBools                              // dnsActive, whoisActive, custom and parsable are booleans instead of strings
	OddityStringNumbers                          // ratings and confidences are strings
	OddityIntegerRatings                         // a rating of 3 is 3 instead of 3.0
	OddityOwnerObjectInLists                     // list elements contain owner objects instead of owner names
	OddityMissingResultCount                     // lists have no result count
	OddityEmptyAs404                             // an empty list has status 404
	OddityEmptyWithoutKey                        // an empty list has no key in data
	OddityLoneObjects                            // a list with one element is the element itself
	OddityPlainTextErrors                        // errors are bare sentences in text/plain
	OddityErrorWord                              // errors have the status "Error" instead of "Failure"
	OddityFailureWith200                         // not-found errors have HTTP status 200
	OddityCreateRefusesExists                    // creating an existing indicator returns status 400
	OddityAdditionalTypesKey                     // indicator types with additional fields have the key "indicator"
	OddityBareStatus                             // batch responses have no envelope: {"status":"Running"}
	OddityBareBatchID                            // the response to creating a batch job is {"batchId":"7"}
	OddityMissingCounts                          // batch counts of 0 are omitted
	OddityLateErrors                             // the error file returns status 404 once after the job completes
	OddityPlainErrorFile                         // the error file is uncompressed text/plain
	OddityBareCompleted                          // batch responses for completed jobs have no envelope
	OddityForbiddenBatch                         // a refused batch job returns status 403 in JSON instead of a sentence
	OddityAssociationsApart                      // batch totals do not include associations
	OddityErrorObjects                           // the source of an error in the error file is an object
	OddityDoubledSpaces                          // hashes in the source of an error have two spaces around the colon
	OddityEventDateRequired                      // creating an event or incident without an eventDate returns status 400
	OddityUploadTypeRequired                     // uploading a document or report without a Content-Type returns status 415
	OddityDataStoreNeedsToken                    // the DataStore refuses signed requests and requires a token
	OddityBareIndicatorLinks                     // two indicators can be associated without an association type
	OddityIDsOfEveryOwner                        // groups, tasks and victims of other owners are found by ID without an owner
	OddityExactTypeNames                         // batch files must spell types as documented: URL, Event, Snort
	oddityEnd

	// OddityAll combines all oddities. If two contradict each other, the one declared first takes
	// precedence.
	OddityAll = oddityEnd - 1
)

// WithOddities enables oddities.
func WithOddities(set Oddity) Option { return func(s *Server) { s.oddities |= set } }

// SetOddities replaces the enabled oddities of a running server. 0 disables all of them.
func (s *Server) SetOddities(set Oddity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oddities = set
}

// Oddities returns the enabled oddities.
func (s *Server) Oddities() Oddity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oddities
}

func (s *settings) odd(o Oddity) bool { return s.oddities&o != 0 }
