// Package threatconnecttest is a ThreatConnect instance for tests: a stateful server of the v2 REST
// API that lives in the memory of the test.
//
//	srv := threatconnecttest.New()
//	client := srv.Client() // a real client, wired to the server
//
//	_, err := client.Indicators.Hosts.Get(ctx, "www.example.com", nil) // errors.Is(err, threatconnect.ErrNotFound)
//
// # In process or on a port
//
// A [Server] is an [http.RoundTripper]. Nothing listens, no goroutine is started and time is read
// with [time.Now] only, so that hours of polling and back-off pass in milliseconds in a bubble of
// [testing/synctest]. It is an [http.Handler] too: served on a port, its base URL is that of the
// port with /api behind it.
//
// # As strict as the platform
//
// Signatures are checked over the bytes of the request target, timestamps against five minutes of
// the server's clock ([Server.SetClockOffset]). Values of indicators, required fields, lengths,
// owners, attribute types, labels, page sizes and filters are checked by rules that are written
// from the platform's documentation, not with the client's code. Calls without an owner are about
// the API user's organization, and a group is found in its own owner only.
//
// Batch jobs keep the platform's traps: version V1, Replace for tags and labels where nothing is
// said, attributes that Append doubles and Replace wipes also where the item has none, xids that are
// known in the whole instance, one malformed date that ends a job without counting the rest, error
// files that are compressed, late or missing. Where the documentation says nothing, the server takes
// the less comfortable way: deleting by batch what is not there is the one thing that it lets pass.
//
// # Oddities and faults
//
// Without further words, answers have the shapes that the clients in the field are known to take.
// The documented other ways are switched on by [WithOddities]. [Server.Inject] makes a request fail
// in the network, before or after it was processed, or be answered by somebody else; [FaultMix]
// makes a repeatable storm of it.
//
// # Looking inside
//
// [Server.Seed], [Server.Update] and [Server.Delete] fill and change the server;
// [Server.Indicators], [Server.Groups] and [Server.Jobs] show what clients have made of it, and
// [Server.Requests] what they sent. For imports whose memory is measured there is
// [WithoutContents].
//
// # Spools
//
// [TestSpool] tests an implementation of [threatconnect.Spool].
package threatconnecttest
