package otel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/threatconnect-go/threatconnect"
)

// outcome returns the attributes of a status and an error. If status is 0, the error can have one.
func outcome(status int, err error) (attrs []attribute.KeyValue) {
	failure := false
	// Type assertions, because an error of a token source can wrap an error of another call.
	switch e := err.(type) {
	case *threatconnect.RequestError:
		err = e.Err
	case *threatconnect.APIError:
		status, failure = e.StatusCode, true
	}
	if status != 0 {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(status))
	}
	switch {
	case err == nil:
		return attrs
	case status >= http.StatusMultipleChoices:
		return append(attrs, semconv.ErrorTypeKey.String(strconv.Itoa(status)))
	case failure:
		return append(attrs, semconv.ErrorTypeKey.String("failure"))
	}
	return append(attrs, errorType(err))
}

// classes are the values of error.type for errors without an error response. The first match counts.
var classes = []struct {
	target error
	name   string
}{
	{context.Canceled, "canceled"},
	{context.DeadlineExceeded, "timeout"},
	{os.ErrDeadlineExceeded, "timeout"},
	{threatconnect.ErrValidation, "validation"},
	{threatconnect.ErrResponseTooLarge, "response_too_large"},
	{threatconnect.ErrBadResponse, "bad_response"},
	{io.EOF, "connection"},
	{io.ErrUnexpectedEOF, "connection"},
}

// errorType returns the class of an error. It does not use the text of the error.
func errorType(err error) attribute.KeyValue {
	for _, class := range classes {
		if errors.Is(err, class.target) {
			return semconv.ErrorTypeKey.String(class.name)
		}
	}
	if netErr, ok := errors.AsType[net.Error](err); ok {
		if netErr.Timeout() {
			return semconv.ErrorTypeKey.String("timeout")
		}
		return semconv.ErrorTypeKey.String("connection")
	}
	return semconv.ErrorTypeOther
}
