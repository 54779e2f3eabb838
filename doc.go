// Package threatconnect is a client for the ThreatConnect v2 REST API. It imports feeds of indicators
// and groups, looks up and enriches indicators, follows changes, and has a typed method for every other
// operation of the API.
//
// # Quick start
//
// Create a client with the base URL of the instance, which usually ends in /api, and the credentials of
// an API user:
//
//	client, err := threatconnect.NewClient("https://app.threatconnect.com/api",
//		threatconnect.HMAC(accessID, secretKey), threatconnect.WithOwner("Example Source"))
//	if err != nil {
//		return err
//	}
//
// Read an indicator:
//
//	host, err := client.Indicators.Hosts.Get(ctx, "evil.example", nil)
//	if errors.Is(err, threatconnect.ErrNotFound) {
//		// The owner does not have this host.
//	}
//
// Import any number of indicators and groups:
//
//	hosts := []*threatconnect.Host{threatconnect.NewHost("one.example"), threatconnect.NewHost("two.example")}
//	stats, err := client.Batch.Import(ctx, threatconnect.BatchConfig{
//		Owner:      "Example Source",
//		Attributes: threatconnect.WriteSingleton,
//	}, threatconnect.BatchItems(slices.Values(hosts)))
//
// [NewClientFromEnv] reads the base URL and the credentials from environment variables. A [Client] and
// its services are safe for concurrent use.
//
// # Values
//
// The client accepts indicator values in common notations and sends their canonical form: hosts and URLs
// in IDNA, IPv6 addresses in full, AS numbers with their prefix, registry hives with their long names.
// Invalid values return a [*ValidationError] that names the broken rule before anything is sent.
//
// [ParseIndicator] recognizes the type of a single value, defanged or not. Package ioc has the canonical
// forms of all types, extracts indicators from text, and excludes allow-listed ones.
//
// # Optional fields
//
// Many fields are pointers, because 0 is a valid rating and false is a valid status. A nil pointer means
// that the platform did not send the field. The built-in function new makes a pointer to a value, for
// example new(4.0) or new(true).
//
// Update methods take a struct of pointers, for example [IndicatorUpdate] or [GroupUpdate], and send only
// the fields that are not nil. A pointer to the zero value clears the field.
//
//	client.Indicators.Hosts.Update(ctx, "evil.example", threatconnect.IndicatorUpdate{Rating: new(3.0)})
//
// # Owners
//
// Every indicator, group, task and victim belongs to an owner: an organization, a community or a source.
// [WithOwner] sets the default owner of a client, and [Client.InOwner] returns a copy of the client with
// a different one. A resource that was read from the platform remembers its owner. If no owner is given,
// the platform uses the API user's organization. Batch imports and bulk reports require an owner.
//
// # Options
//
// [NewClient] takes functional options, for example [WithOwner]. Methods take a pointer to an options
// struct; nil and the zero value select the defaults. Methods copy the struct, so changing it after the
// call has no effect. Most options structs embed [CallOptions], which can replace the retry policy or add
// headers for one call. For methods without an options struct, use [Client.With].
//
// # Pagination
//
// The All method of a service returns an iterator over all items of a list:
//
//	for owner, err := range client.Owners.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(owner.Name)
//	}
//
// The iterator requests a page only when the loop reaches it; [ListOptions].Ahead prefetches pages. If a
// request fails, the iterator yields the error and stops. The loop may end at any time, and the iterator
// can be used again. The List method reads a single page.
//
// Methods that are named after the items they list, for example [TagsService.Indicators], return an
// iterator as well. The On method returns a slice of everything that is attached to one resource.
//
// Pages are addressed by offset. If the data changes while a list is read, an item can be missed or
// returned twice. [Client.Changes] reads a changing list without missing items.
//
// # Batch imports
//
// [BatchService.Import] and [BatchWriter] import any number of items in bounded memory:
//
//   - [BatchConfig].Spool resumes an import after the process or the machine failed.
//   - [BatchConfig].Exclude keeps allow-listed indicators out of an owner.
//   - [MergeItems] deduplicates a feed.
//   - [GroupContent] imports documents and reports together with their files.
//   - [BatchService.Reconcile] deletes or retires indicators that are in the owner but no longer in the
//     feed.
//
// # Errors
//
// Calls return errors of three types:
//
//   - A [*ValidationError] describes invalid input. Nothing was sent.
//   - An [*APIError] is an error response from the platform.
//   - A [*RequestError] describes a call that ended without a usable response.
//
// Match them with errors.Is and the Err variables. For example, a call that reads, changes or deletes
// something that does not exist returns an error that matches [ErrNotFound].
//
// Error texts are safe to log: they contain routes, but no values or credentials. An APIError quotes only
// messages that the platform is known to write. Other text of a response can repeat values; it is in
// [APIError.Foreign], which prints only its length.
//
// # Retries
//
// A call is retried until it has made 5 attempts ([RetryPolicy]); each attempt is signed again. The wait
// before a retry is random, up to a bound that doubles from 250 ms to 20 s, and is added to the
// Retry-After of the response. If Retry-After is over 2 minutes, or the wait would exceed the deadline of
// the context, the call fails at once.
//
//   - GET, PUT and DELETE are retried after transport errors and after 429, 502, 503 and 504.
//   - GET and PUT are retried after a truncated or unreadable response. DELETE is not, because it has
//     taken effect.
//   - GET is retried after 500.
//   - POST is retried if no connection was made, and after 429 and 503 with a Retry-After header. An
//     idempotent POST is retried like GET; the documentation of its method says so.
//   - A download is retried until its first byte is written. A request body that can be read only once
//     is sent once.
//   - Permanent failures are not retried: TLS failures, host names that do not exist, refusals of a
//     proxy, redirects, an instance without an API license, a batch API that is switched off.
//
// If the platform refuses a timestamp, the client measures the clock offset of this machine from the Date
// header and signs the call once more with the corrected time. This is safe for every method, because the
// platform does not process a refused request. The client keeps the offset for later calls, updates it
// with every response, and drops it when the clock is right again. It ignores an offset over 24 hours.
// [WithoutClockCorrection] disables this.
//
// If the platform refuses a token, the client asks the token source for a new one ([TokenFunc]), once per
// call. The attempts with a corrected clock or a new token count, but one of them is made even after the
// fifth, so a call sends at most 6 requests. In addition, package net/http can send a request again on a
// new connection if the server had closed an idle one.
//
// # Rate limits
//
// [WithLimiter] sets a client-side rate limit, for example a [golang.org/x/time/rate.Limiter]. It applies
// to every attempt, including retries. After 429, the client waits for the Retry-After of the response. If
// the last attempt gets 429 as well, the error matches [ErrRateLimited].
//
// # Delivery guarantees
//
// A call that is retried takes effect at least once if it succeeds; a call that is not retried, at most
// once. If a write gets no usable response, the error matches [ErrOutcomeUnknown]: the write may have
// taken effect. A DELETE whose first response was lost can return [ErrNotFound].
//
// Batch imports guarantee more:
//
//   - The file of a batch job is uploaded exactly once. After a lost response, the status of the job
//     decides whether the file is uploaded again.
//   - Every item that a [BatchWriter] accepts is counted exactly once: as succeeded, failed, not
//     processed, unknown or excluded. An item has succeeded only if the platform has confirmed it.
//   - An item that is added twice is sent twice, in order. An association that is added twice is sent
//     once.
//   - Contents of documents and reports are uploaded at least once; the last upload wins.
//
// With a [Spool], these guarantees survive a failure of the process or the machine. Every item before
// [BatchWriter.Resumed] is imported exactly once. The items from there on must be added again;
// [BatchService.Import] does so. Events and errors of items can be reported twice. If the import named by
// [BatchConfig].Run has already completed, nothing is sent and the earlier outcome is returned.
//
// [BatchWriter.Watermark] marks the items whose outcome is final, so that the consumer of a queue can
// commit its offset.
//
// An entry of a [LogHandler] is sent at most once.
//
// # Memory use
//
//   - Responses: up to 64 MiB ([WithMaxResponseBytes]) after decompression, plus three times that for the
//     decoded values. A larger response returns [ErrResponseTooLarge]. Error responses are read up to
//     64 KiB and for up to 15 seconds.
//   - Response headers: up to 1 MiB.
//   - Lists: one page, plus [ListOptions].Ahead pages (at most 32).
//   - Streams: one element, which is up to 16 MiB in a JSON report, 256 KiB in a CSV report and 1 MiB in a
//     list of errors. Downloads and uploads use buffers of 32 KiB, or 64 KiB for malware.
//   - Batch imports: Concurrency+1 jobs of 2,000,000 bytes each, or one larger item; about 30 bytes for
//     each group; 1 MiB of associations that wait (further ones are in temporary files); the first 1,000
//     errors of items. A spool adds up to 4 MiB.
//   - A [LogHandler]: 10,000 entries or 16 MiB of messages. Further entries are dropped and counted.
//
// # Disk use
//
// The package writes temporary files, and files that the caller asks for. Temporary files contain the
// associations of an import beyond 1 MiB, the items of [MergeItems], and the lists that
// [BatchService.Reconcile] sorts. They have no name if the operating system supports that.
//
// A [DirSpool] contains up to 4×Concurrency+20 records, including the items of unfinished jobs; a record
// of 1 MiB for each 130,000 groups and for each MiB of associations that wait; and, after the end, one
// record with the outcome. All these files contain values in the clear. Only the user of the process
// can read them.
//
// # Timeouts
//
// An attempt that transfers no data for 2 minutes times out ([WithStallTimeout]). The total time of an
// attempt is unlimited unless [WithAttemptTimeout] sets a limit. A batch import retries through an outage
// of up to 10 minutes, and waits for a job for 2 hours.
//
// When its context ends, a call returns at once. The error matches the context's error and its cause. No
// goroutine and no request is left, but the platform may have processed the request. A [BatchWriter] that
// is closed with an ended context lists the jobs that continue on the platform in [BatchError].Jobs;
// unfinished work stays in the spool.
//
// No goroutine outlives a call, except those of a BatchWriter, until Close, and of a LogHandler, from
// Start to Close.
//
// # Redirects and links
//
// The client never follows a redirect and never fetches a link from a response. It sends requests only to
// the server of the base URL.
//
// # Observability
//
// [WithLogger] writes a Debug record for each attempt with method, route, attempt number, duration, and
// status or error. It writes a Warn record if the clock is wrong or a tag repeats the name of the owner.
// Records contain no value, header or body. Without a logger, the client logs nothing; package net/http
// itself writes to the standard logger if a server sends an unsolicited response.
//
// [WithObserver] reports the start and the end of each call and each attempt, and the waits between
// attempts, for tracing and metrics. In a transport, [RouteFrom] returns the route of a request, which
// names a span without revealing an indicator.
//
// # Testing
//
// Package threatconnecttest is a strict, stateful test server for the API, in memory. Its Client method
// returns a client that is connected to it.
package threatconnect
