// Package threatconnecttest provides a ThreatConnect instance for tests: a stateful, in-memory
// server of the v2 REST API.
//
//	func TestBlocklist(t *testing.T) {
//		srv := threatconnecttest.NewT(t)
//		client := srv.Client() // a real client, connected to the server
//
//		_, err := client.Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
//		if !errors.Is(err, threatconnect.ErrNotFound) {
//			t.Error(err)
//		}
//	}
//
// [NewT] fails the test for probable mistakes: refused credentials, requests to unknown endpoints,
// and injected faults that never struck. [Allow] tolerates the mistakes that a test makes on
// purpose. [New] creates a server outside a test.
//
// # In process or on a port
//
// A [Server] is an [http.RoundTripper]. It opens no port, starts no goroutines and reads the time
// only with [time.Now]. In a bubble of [testing/synctest], hours of polling and backoff therefore
// take milliseconds.
//
// A Server is also an [http.Handler]. [Server.Listen] serves on a loopback port until the test
// ends, for clients in other languages and clients without a configurable transport.
//
// # Data
//
// A new server has three owners, the usual indicator and attribute types, and the TLP labels.
// [Server.Seed], [Server.Update] and [Server.Delete] add, change and delete records, also while a
// client is using the server. [Server.Indicators], [Server.Groups] and [Server.Jobs] return the
// current state for assertions.
//
// [Server.Snapshot] and [Server.Restore] save and restore the data. [Server.Reset] restores the
// initial state. An [Owner] can deny individual calls to the API user. [WithoutContents] saves
// memory in tests that measure large imports.
//
// # Requests
//
// [Server.Requests] returns the recorded requests and responses: by default the newest 10,000, with
// the first 1 KiB of each body. A request with a wrong signature has a [Refusal] that contains the
// string that the client should have signed. If a known mistake explains the signature, the Refusal
// also contains the string that the client did sign.
//
// # Faults
//
// [Server.Inject] makes requests fail: on the network, before or after processing, or with a
// response from something other than the platform, such as a proxy. [FaultMix] injects faults at
// random, but reproducibly. [WithRateLimit] sets a rate limit, beyond which the server responds
// with status 429 and Retry-After.
//
// [Server.SetClockOffset] moves the server's clock. [WithBatchDuration] makes batch jobs take time.
// [Server.Handle] replaces an endpoint with a handler.
//
// # Strictness
//
// The server verifies signatures over the bytes of the request target, and accepts timestamps
// within five minutes of its clock. It validates indicator values, required fields, lengths,
// owners, attribute types, labels, page sizes and filters. These rules are written from the
// platform's documentation and share no code with the client. Calls without an owner apply to the
// API user's organization. A group is found only in its own owner.
//
// Batch jobs reproduce the platform's pitfalls:
//
//   - The default version is V1. In V2, the default write type of tags and labels is Replace.
//   - Append duplicates attributes. Replace deletes them even if the item has none.
//   - An xid is unique in the whole instance.
//   - A malformed date ends the job, and the remaining items are not counted.
//   - Error files are compressed, late or missing.
//
// Where the documentation is silent, the server is strict. The one exception is a batch delete of a
// missing item, which succeeds.
//
// # Oddities
//
// By default, responses have the shapes that existing clients are known to accept. [WithOddities]
// and [Server.SetOddities] enable other shapes that are documented or have been observed.
// [Oddities] returns all of them.
//
// # Spools
//
// [TestSpool] tests an implementation of [threatconnect.Spool].
package threatconnecttest
