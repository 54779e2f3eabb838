// Package otel reports the calls and batch imports of package threatconnect to OpenTelemetry.
//
//	observer, err := tcotel.NewObserver()
//	if err != nil {
//		return err
//	}
//	client, err := threatconnect.NewClientFromEnv(threatconnect.WithObserver(observer))
//
// Import it under another name, such as tcotel, next to go.opentelemetry.io/otel. Without options, it uses the
// global providers.
//
// # Spans
//
// A call is a span of kind internal, and each of its attempts is a child span of kind client. Both are named by
// method and route, such as "GET /v2/indicators/hosts/{}". A wait between two attempts is an event "retry" of the
// call, with the attributes threatconnect.wait and threatconnect.retry_after in seconds.
//
// # Metrics
//
//	http.client.request.duration      histogram, s      duration of an attempt
//	threatconnect.call.duration       histogram, s      duration of a call with its waits
//	threatconnect.call.retries        counter, {retry}  attempts after the first
//	threatconnect.call.wait           histogram, s      wait between two attempts
//	threatconnect.batch.items         counter, {item}   items of imports, by threatconnect.batch.kind and
//	                                                    threatconnect.batch.outcome
//	threatconnect.batch.job.duration  histogram, s      time of a batch job from its upload to its end
//
// The metrics about batch imports need [OnEvent].
//
// # Attributes
//
// Attributes follow the semantic conventions for HTTP clients: http.request.method, url.template, server.address,
// server.port, http.response.status_code, http.request.resend_count and error.type. url.full is left out, because
// it contains values.
//
// error.type is the status of an error response. Otherwise it is "canceled", "timeout", "connection", "validation",
// "bad_response", "response_too_large", "failure" for a failure whose HTTP status is a success, or "_OTHER".
//
// Spans and metrics contain no text of an error, because the errors of a token source or a transport can contain
// anything. They contain no indicator, owner, header, query or body. The route of [threatconnect.Client.Do] can show
// the first two segments of its path. A failed span has the status Error; log the error of the call to learn more.
//
// # Propagation
//
// Requests carry no traceparent header, because the platform does not read it. To send one, give the client a
// transport that injects the context of the request into a clone of it.
package otel
