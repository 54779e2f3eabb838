// Package threatconnecttest is a ThreatConnect instance for tests: a stateful server of the v2 REST
// API that lives in the memory of the test.
//
//	func TestBlocklist(t *testing.T) {
//		srv := threatconnecttest.NewT(t)
//		client := srv.Client() // a real client, wired to the server
//
//		_, err := client.Indicators.Hosts.Get(t.Context(), "www.example.com", nil)
//		if !errors.Is(err, threatconnect.ErrNotFound) {
//			t.Error(err)
//		}
//	}
//
// [NewT] fails the test for probable mistakes: a refused signature, a request that no endpoint
// has, a fault that never struck. [Allow] tolerates those that a test makes on purpose. [New] is for
// servers without a test.
//
// # In process or on a port
//
// A [Server] is an [http.RoundTripper]. Nothing listens, no goroutine is started, and time is read
// with [time.Now] only, so that hours of polling and backoff pass in milliseconds in a bubble of
// [testing/synctest]. A Server is an [http.Handler] too: [Server.Listen] serves on a port of the
// loopback interface until the test ends, for clients that are not written in Go or do not take a
// transport.
//
// # Data
//
// A new server has three owners, the usual types, and the TLP labels. [Server.Seed] adds records,
// [Server.Update] and [Server.Delete] change them, also while a client works. [Server.Indicators],
// [Server.Groups] and [Server.Jobs] return the present state, for assertions. [Server.Snapshot] and
// [Server.Restore] go back to an earlier state, and [Server.Reset] to the first one. An [Owner] lists
// the calls that the API user may not make in it. [WithoutContents] is for imports whose memory is
// measured.
//
// # Requests
//
// [Server.Requests] returns the requests of clients and their answers: by default the newest 10,000
// requests, with 1 KiB of each body. A request whose signature was refused has a [Refusal]
// with the string that should have been signed. If the client made a known mistake, it also has the
// string that the client signed.
//
// # Faults
//
// [Server.Inject] makes requests fail in the network, before or after they are processed, or be
// answered by somebody else. [FaultMix] does so at random and repeatably. [WithRateLimit] answers
// 429 with Retry-After to clients that are too fast. [Server.SetClockOffset] moves the server's
// clock, [WithBatchDuration] makes batch jobs take time, and [Server.Handle] puts a handler of the
// test in place of an endpoint.
//
// # As strict as the platform
//
// Signatures are checked over the bytes of the request target, and timestamps against five minutes
// of the server's clock. Values of indicators, required fields, lengths, owners, attribute types,
// labels, page sizes and filters are checked by rules that are written from the platform's
// documentation, not with the client's code. Calls without an owner are about the API user's
// organization, and a group is found in its own owner only.
//
// Batch jobs keep the platform's traps: version V1; Replace for tags and labels where nothing is
// said; attributes that Append doubles and Replace deletes even if the item has none; xids that are
// known in the whole instance; a malformed date that ends a job without counting the rest; error
// files that are compressed, late or missing. Where the documentation is silent, the server is
// strict. The exception is a batch delete of a missing item, which it accepts.
//
// # Oddities
//
// By default, answers have the shapes that existing clients are known to accept. [WithOddities] and
// [Server.SetOddities] switch on the other shapes that are documented or were seen; [Oddities] lists
// them.
//
// # Spools
//
// [TestSpool] tests an implementation of [threatconnect.Spool].
package threatconnecttest
