// Package threatconnect is a client for the ThreatConnect v2 REST API: it brings feeds of
// indicators and groups into an instance, looks indicators up, takes data out, and does the rest of
// what the API offers.
//
// # Quick start
//
//	client, err := threatconnect.NewClient("https://app.threatconnect.com/api",
//		threatconnect.HMAC(accessID, secretKey), threatconnect.WithOwner("Example Source"))
//	...
//	host, err := client.Indicators.Hosts.Get(ctx, "evil.example", nil)
//
// The base URL is the one under which the instance serves its API; it usually ends in /api.
// [NewClientFromEnv] takes everything from TC_ variables.
//
// # Values
//
// Indicator values may be given as people write them and are sent as the platform wants them: hosts
// and URLs in IDNA, IPv6 in full, ASN numbers with their prefix, registry hives by their long names.
// The Canonical functions do that; what they refuse is a [*ValidationError] that names the rule.
// [Refang] undoes hxxp and [.], and [ParseIndicator] recognizes a bare value of any type.
//
// # Owners
//
// Everything belongs to an owner: an organization, a community or a source. [WithOwner] sets the
// default, every options struct can name another one, and a resource that was read knows its own.
// Where none is named, nothing is sent and the platform uses the API user's organization. Batch
// imports have no default: they name their owner.
//
// # Lists
//
// List reads one page. All is an iterator over all of them: it asks for a page when it is needed,
// can be left at any time, can be ranged over again, and ends with the error that it yields, if
// there is one. Offsets move when the data changes while it is read; an item can then be missed or
// come twice.
//
// # Optional fields
//
// A pointer is nil where the platform did not say, because 0 is a rating and false is a status.
// new(4.0) and new(true) make one. Update sends what is set and leaves the rest alone.
//
// # Errors
//
// Three kinds of errors come back. A [*ValidationError] was refused before anything was sent. An
// [*APIError] is an answer that says no. A [*RequestError] is a call that ended without an answer.
// Match them with errors.Is and the Err values. Their texts hold routes, never values: neither
// credentials nor indicators can reach a log through them.
//
// # Retries
//
// Every call is tried up to five times ([RetryPolicy]), each attempt signed anew, after waits that
// are random below a bound which doubles from 250 ms to 20 s. GET, PUT and DELETE are tried again
// after transport errors, 429, 502, 503 and 504; GET and PUT also after an answer that broke off,
// and GET after 500. POST is tried again only where nothing can have happened, or where happening
// twice does no harm; the method says so. A Retry-After is honored up to two minutes. A context ends every wait.
//
// A timestamp that the platform refuses is measured against its Date header, and the call is signed
// once more with the platform's time, whatever its method: it was refused unprocessed.
//
// # Limits
//
// An answer is read into memory up to 256 MiB ([WithMaxResponseBytes]); downloads and bulk reports
// are streams. An attempt in which no byte moves for two minutes is ended ([WithStallTimeout]).
// Redirects are never followed. A client starts no goroutine that outlives a call.
//
// # Batch
//
// [BatchService] imports any number of items, in memory bounded by the size of a job. Every file is
// uploaded exactly once: after a lost answer the job's status decides. A single create or update is
// at least once where it is tried again, and at most once where it is not. A [BatchWriter] that is
// closed with a context that has ended names the jobs that it leaves running on the platform.
//
// [BatchService.Reconcile] removes what an owner has and a feed has not any more.
//
// # Logging
//
// Nothing is logged without [WithLogger]. With it there is one Debug record an attempt: method,
// route, status, duration; never a value, a header or a body.
//
// # Testing
//
// Package threatconnecttest is a stateful server of the API, in memory and strict: its Client method
// returns a client of this package that is wired to it.
package threatconnect
