package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"the platform refuses the time of this machine: set its clock":                            threatconnect.ErrClockSkew,
		"there is no API at the base URL: is /api missing at its end?":                            fmt.Errorf("%w: %w", threatconnect.ErrBadResponse, threatconnect.ErrNotFound),
		"the platform refuses the token: get a new one for TC_TOKEN":                              fmt.Errorf("GET: %w", threatconnect.ErrTokenRefused),
		"the instance has no batch API: ask its administrator to switch it on":                    threatconnect.ErrBatchDisabled,
		"there is no owner of this name that the API user can see: check --owner":                 threatconnect.ErrOwnerRefused,
		"the instance does not answer: check the host and the port of TC_BASE_URL, and the proxy": fmt.Errorf("read: %w", errNoAnswer),
		"first; second \ufffd[2J":                errors.Join(errors.New("first"), errors.New("threatconnect: second \x1b[2J")),
		"already exists":                         threatconnect.ErrExists,
		"text is in UTF-16; convert it to UTF-8": &ioc.Error{Field: "text", Rule: "is in UTF-16", Fix: "convert it to UTF-8"},
		"address is wrong; drop the port":        &ioc.Error{Field: "address", Rule: "is wrong", Fix: "drop the port, or set SplitPort of an ioc.Parser"},
		"credentials must be a token; set TC_TOKEN instead of TC_ACCESS_ID and TC_SECRET_KEY": &threatconnect.ValidationError{Field: "credentials", Rule: "must be a token", Fix: "make the client with Token or TokenFunc"},
		"type is wrong":                        &threatconnect.ValidationError{Field: "type", Rule: "is wrong", Fix: "list its types with client.Types.Indicators"},
		`type is "a client.A"; use "client.B"`: &threatconnect.ValidationError{Field: "type", Rule: `is "a client.A"`, Fix: `use "client.B"`},
		"403; list the owners that the API user can see with threatconnect lookup --owners": errors.New("threatconnect: 403; list the owners that the API user can see with client.Owners"),
	} {
		assert.Equal(t, want, Explain(err))
	}
	assert.Contains(t, Explain(threatconnect.ErrSignature), "TC_SECRET_KEY")
}

// Explanations of errors contain no Go identifiers.
func TestExplainOmitsGoNames(t *testing.T) {
	t.Parallel()
	goNames := regexp.MustCompile(`client\.|DataStore\.|TokenFunc|threatconnect\.|ioc\.|feeds\.|threatconnect: |Err[A-Z]|With[A-Z]|\b[A-Z][a-z]+(Config|Options|Error)`)
	invalid := func(fix string) error {
		return &threatconnect.ValidationError{Field: "field", Rule: "is wrong", Fix: fix}
	}
	all := []error{
		threatconnect.ErrBadRequest, threatconnect.ErrUnauthorized, threatconnect.ErrForbidden, threatconnect.ErrNotFound,
		threatconnect.ErrRateLimited, threatconnect.ErrServer, threatconnect.ErrUnavailable, threatconnect.ErrSignature,
		threatconnect.ErrClockSkew, threatconnect.ErrTokenRefused, threatconnect.ErrOwnerRefused, threatconnect.ErrExists,
		threatconnect.ErrRequestTooLarge, threatconnect.ErrNotLicensed, threatconnect.ErrBatchDisabled, threatconnect.ErrRedirect,
		threatconnect.ErrBadResponse, threatconnect.ErrResponseTooLarge, threatconnect.ErrValidation, threatconnect.ErrOutcomeUnknown,
		threatconnect.ErrBatchClosed, threatconnect.ErrSpool, threatconnect.ErrSpoolLost, threatconnect.ErrBulkFailed, threatconnect.ErrReconcileShare,
		invalid("use https://, or WithPlainHTTP for a proxy that you trust"), invalid("make the client with WithUserAgent"),
		invalid("set BatchConfig.OpenContent"), invalid("import the group with client.Batch"), invalid("apply labels to an AttributeRef afterwards"),
		invalid("LinkIndicators with dnsPtrRecord"), invalid("pass it through ioc.Refang first"), invalid("correct it, or clear Strict of the ioc.Parser"),
		invalid("correct it, or change the Patterns of the ioc.Parser"), invalid("correct the number after the slash, or set AssumeScheme of an ioc.Parser if it is a URL"),
		fmt.Errorf("%w: its values take more than three times the cap in memory: ask for fewer items, or raise WithMaxResponseBytes", threatconnect.ErrResponseTooLarge),
		errors.New("threatconnect: GET /v2/x: 400 Bad Request: unrecognized message (12 bytes, see APIError.Foreign)"),
		&threatconnect.RequestError{Method: "GET", Route: "/v2/owners", Err: errors.New("of a transport")},
		errors.New("ioc: list x: line 2 is wrong"), errors.New("threatconnect: the DataStore answers with HTML; DataStore.Do returns what it answered"),
	}
	for _, err := range all {
		text := Explain(err)
		assert.NotRegexp(t, goNames, text)
		assert.NotEmpty(t, text)
	}
}

func TestExplainUnreachableHost(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	assert.Equal(t, "GET /v2/owners: dial tcp: connection refused; check the host and the port of TC_BASE_URL, and the proxy",
		Explain(&threatconnect.RequestError{Method: "GET", Route: "/v2/owners", Err: dial}))
	assert.Equal(t, "fetch: dial tcp: connection refused", Explain(fmt.Errorf("fetch: %w", dial)), "errors of other hosts get no hint")
}

func TestWithoutPath(t *testing.T) {
	t.Parallel()
	_, err := os.Open("no-such-file")
	assert.Equal(t, "no such file or directory", WithoutPath(err).Error())
	assert.Equal(t, errors.ErrUnsupported, WithoutPath(errors.ErrUnsupported))
}
