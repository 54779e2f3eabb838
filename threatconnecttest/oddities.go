package threatconnecttest

// Oddity is a set of ways in which instances, versions and documents of the platform differ. The
// zero value stands for the shapes that existing clients are known to accept.
type Oddity uint64

// The oddities. Combine them with |.
const (
	OddityStringIDs           Oddity = 1 << iota // ids are strings of digits
	OddityZonelessDates                          // dates have no zone: 2026-01-02T03:04:05
	OddityOffsetDates                            // dates have an offset: 2026-01-01T22:04:05-05:00
	OddityMalformedDates                         // dates of observations have an offset and a Z: 2026-01-01T22:04:05-05:00Z
	OddityStringBools                            // booleans are the strings "true" and "false"
	OddityRealBools                              // dnsActive, whoisActive, custom, parsable are booleans, not strings
	OddityStringNumbers                          // ratings and confidences are strings
	OddityIntegerRatings                         // a rating of 3 is 3, not 3.0
	OddityOwnerObjectInLists                     // elements of lists have owner objects instead of owner names
	OddityMissingResultCount                     // lists never say how many there are
	OddityEmptyAs404                             // an empty list is a 404
	OddityEmptyWithoutKey                        // an empty list has no key in data
	OddityLoneObjects                            // a list of one is the object itself
	OddityPlainTextErrors                        // errors are bare sentences of text/plain
	OddityErrorWord                              // errors have the status "Error", not "Failure"
	OddityFailureWith200                         // errors of missing things come with HTTP status 200
	OddityCreateRefusesExists                    // creating an indicator that is there is a 400
	OddityAdditionalTypesKey                     // indicator types with additional fields come under "indicator"
	OddityBareStatus                             // batch answers have no envelope: {"status":"Running"}
	OddityBareBatchID                            // a created batch job is {"batchId":"7"}
	OddityMissingCounts                          // batch counts that are 0 are left out
	OddityLateErrors                             // the error file answers 404 once more after the job is completed
	OddityPlainErrorFile                         // the error file is text/plain and not compressed
	OddityBareCompleted                          // batch answers of completed jobs have no envelope either
	OddityForbiddenBatch                         // a batch job that cannot be made is a 403 in JSON, not a sentence
	OddityAssociationsApart                      // the sums of batch counts leave associations out
	OddityErrorObjects                           // the source of an error in the error file is an object
	OddityDoubledSpaces                          // the hashes in the source of an error have two spaces around the colon
	OddityEventDateRequired                      // creating an event or incident without an eventDate is a 400
	OddityUploadTypeRequired                     // uploading a document or report without a Content-Type is a 415
	OddityDataStoreNeedsToken                    // the DataStore refuses signed requests: it wants a token
	OddityBareIndicatorLinks                     // two indicators can be associated without an association type
	OddityIDsOfEveryOwner                        // groups, tasks and victims of other owners are found by their ids without an owner
	OddityExactTypeNames                         // batch files must name types as documented: URL, Event, Snort
	oddityEnd

	// OddityAll is all of them at once. Where two exclude each other, the one that stands
	// first in the list wins.
	OddityAll = oddityEnd - 1
)

// WithOddities switches oddities on.
func WithOddities(set Oddity) Option { return func(s *Server) { s.oddities |= set } }

// SetOddities replaces the oddities of a running server; 0 switches all of them off.
func (s *Server) SetOddities(set Oddity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oddities = set
}

// Oddities returns the oddities that are on.
func (s *Server) Oddities() Oddity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oddities
}

func (s *settings) odd(o Oddity) bool { return s.oddities&o != 0 }
