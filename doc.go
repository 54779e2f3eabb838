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
// Invalid values return a [*ValidationError] that names the rule before anything is sent.
// [ParseIndicator] recognizes a bare value of any type, defanged or not. Package ioc has all canonical
// forms, finds indicators in text and excludes those that must not be shared.
//
// # Owners
//
// Everything belongs to an owner: an organization, a community or a source. [WithOwner] sets the
// default, [Client.InOwner] returns a copy of the client with another one, and a resource that was read
// knows its own. Without an owner, the platform uses the API user's organization. Batch imports and bulk
// reports require an owner.
//
// # Lists
//
// List reads one page. All returns an iterator over all items and requests a page only when the loop
// reaches it. The loop may be left at any time, and the iterator can be ranged over again. If a request
// fails, the iterator yields the error and stops. Offsets move when the data changes while it is read: an
// item can then be missed or come twice.
//
// Methods named for what they list, as [TagsService.Indicators], return an iterator as All does. On returns
// a slice of what is attached to one resource.
//
// # Options
//
// The client takes functions, as [WithOwner]. Everything else takes a struct, whose zero value, or nil,
// stands for the defaults. It is copied: changing it after the call has no effect. The options of calls
// hold [CallOptions]; [Client.With] sets these for methods without options.
//
// # Optional fields
//
// A pointer is nil where the platform did not say, because 0 is a rating and false is a status.
// new(4.0) and new(true) make one.
//
// Update takes a struct of pointers, as [IndicatorUpdate] or [GroupUpdate]. It sends the fields that are
// set and no other; a pointer to the zero value clears a field.
//
//	client.Indicators.Hosts.Update(ctx, "evil.example", threatconnect.IndicatorUpdate{Rating: new(3.0)})
//
// # Errors
//
// Calls return three types of errors. A [*ValidationError] describes invalid input; nothing was sent.
// An [*APIError] is an error response from the platform. A [*RequestError] describes a call that ended
// without a response. Match them with errors.Is and the Err values.
//
// Their texts hold routes, never values or credentials, and can be logged. An APIError quotes only
// sentences that the platform is known to write. Any other text of a response can repeat values; it is
// in [APIError.Foreign], which prints as its length.
//
// # Retries
//
// A call is retried until it has made 5 attempts ([RetryPolicy]); each attempt is signed again. Between
// two attempts it waits for a random time up to a bound, which doubles from 250 ms to 20 s, in addition
// to the Retry-After that the platform asks for. If Retry-After is over 2 minutes, or the wait would
// pass the deadline of the context, the call fails at once.
//
//   - GET, PUT and DELETE are retried after transport errors, 429, 502, 503 and 504.
//   - GET and PUT are retried after a response that broke off or cannot be read. DELETE is not, because
//     it has taken effect.
//   - GET is retried after 500.
//   - POST is retried if no connection was made, and after 429 and 503 with a Retry-After. An idempotent
//     POST is retried like GET; its method says so.
//   - A download is retried as long as nothing of it was written. A body that can be read only once is
//     sent once.
//   - Permanent failures are not retried: TLS failures, names that do not exist, a proxy or redirect that
//     refuses, an API without a license, a batch API that is switched off.
//
// If the platform refuses a timestamp, the call measures the offset of this machine's clock from the
// Date header and signs once more with the platform's time. This is safe for any method, because a
// refused request is not processed. The client keeps the offset for its next calls, updates it with
// every response, and drops it when the clock is right again. It does not believe an offset over 24
// hours. A refused token is renewed once per call if its source can ([TokenFunc]). Both are attempts like
// others, but are made even after the fifth, so a call sends at most 6 requests; package net/http may
// send one of them again over a new connection if the old one was closed while it was idle.
//
// # Delivery guarantees
//
// A call that is retried takes effect at least once if it succeeds; one that is not retried, at most
// once. If a write gets no usable response, the error matches [ErrOutcomeUnknown]: the write may have
// taken effect. A DELETE whose first response was lost can end with [ErrNotFound].
//
// The file of a batch job is uploaded exactly once: after a lost response, the status of the job decides
// whether it is sent again. Every item that a [BatchWriter] accepted is counted once: as succeeded, failed,
// not processed, unknown or excluded. An item has succeeded only if the platform has confirmed it. Items that
// are added twice are sent twice, in their order; associations that are added twice are sent once. Contents
// of documents and reports are uploaded at least once, and the last upload stays. A log entry is sent at
// most once.
//
// With a [Spool], this also holds if the process or the machine fails. Every item before
// [BatchWriter.Resumed] is imported exactly once; the items from there on must be added again, as
// [BatchService.Import] does. Events and errors of items can be reported twice. If the import of a name
// ([BatchConfig].Run) has ended, importing under that name again sends nothing and returns its outcome.
//
// [BatchWriter.Watermark] says up to which item the outcome is final, so that the consumer of a queue can
// commit its offset.
//
// # Memory use
//
//   - A response up to 64 MiB ([WithMaxResponseBytes]), counted after decompression, and three times that
//     for the decoded values; a larger one is [ErrResponseTooLarge]. Of an error response, 64 KiB, read for up
//     to 15 seconds.
//   - Response headers up to 1 MiB.
//   - Of a list, a page; with [ListOptions].Ahead, that many pages more, 32 at most.
//   - Of a stream, one element: 16 MiB of a JSON report, 256 KiB of a CSV report, 1 MiB of a list of
//     errors. Downloads and uploads pass through buffers of 32 KiB, or 64 KiB for malware.
//   - Of a batch import, Concurrency+1 jobs of 2,000,000 bytes each, or one larger item; about 30 bytes for
//     each group; 1 MiB of associations that wait (more are in temporary files); the first 1,000 errors of
//     items. With a spool, up to 4 MiB more.
//   - Of a [LogHandler], 10,000 entries or 16 MiB of messages; further ones are dropped and counted.
//
// # Disk use
//
// Only temporary files, and what the caller asks for. Temporary files hold associations of an
// import beyond 1 MiB, the items of [MergeItems] and what [BatchService.Reconcile] sorts. They have no name
// if the system allows that. A [DirSpool] holds up to 4×Concurrency+20 records, which include the items of the
// jobs that are not done; a record of 1 MiB for each 130,000 groups and for each MiB of associations that
// wait; and, after the end, one record with the outcome. Only the user of the process can read these files;
// they hold values in the clear.
//
// # Time
//
// An attempt that transfers no data for 2 minutes times out ([WithStallTimeout]). A slow response is read
// until the context ends or the attempt timeout ([WithAttemptTimeout]) expires. A batch import retries
// through an outage of up to 10 minutes, and waits for a job for 2 hours.
//
// When its context ends, a call returns at once with an error that matches the context's error and
// its cause. It leaves no goroutine and no request behind; whether the platform has done what it
// was asked to is not known. A [BatchWriter] that is closed with such a context lists in
// [BatchError].Jobs the jobs that continue on the platform. What is not done stays in its
// spool. A client starts no goroutine that outlives a call; a BatchWriter has some until Close, and a
// LogHandler one from Start to Close.
//
// # Redirects and links
//
// Redirects are never followed, and no link in an answer is ever fetched: nothing of a request
// reaches another server than that of the base URL.
//
// # Batch
//
// [BatchService] imports any number of items, in memory bounded by the size of a job.
// [BatchConfig].Spool lets an import survive its process, [MergeItems] deduplicates a feed,
// and [GroupContent] imports the files of documents and reports.
// [BatchConfig].Exclude keeps indicators that are not malicious out of an owner.
//
// [BatchService.Reconcile] deletes or retires indicators that are in the owner but no longer in the feed.
//
// # Logging, tracing and metrics
//
// Nothing is logged without [WithLogger]. It writes a Debug record for each attempt (method, route,
// attempt, duration, and status or error) and a Warn record when the clock is found to be wrong or a
// tag repeats the owner's name.
// Records hold no value, header or body. Package net/http itself writes to the standard logger when
// a server sends a response that nobody asked for.
//
// [WithObserver] reports the start and the end of each call and each attempt, and the waits between
// attempts. [RouteFrom] gives a transport the route of its request, so that a span gets a name
// without an indicator in it.
//
// # Testing
//
// Package threatconnecttest is a stateful server of the API, in memory and strict: its Client method
// returns a client of this package that is wired to it.
package threatconnect
