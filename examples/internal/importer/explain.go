package importer

import (
	"context"
	"errors"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// explain says in one sentence what ended an import and what to do about it; "" when nothing did.
// The whole error is longer than an exit message can be, and stands on a line before it.
func explain(ctx context.Context, err error) string {
	if err == nil {
		return ""
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return "stopped: " + cause.Error()
	}
	switch {
	case errors.Is(err, threatconnect.ErrClockSkew):
		return "the platform refuses the time of this machine: set its clock"
	case errors.Is(err, threatconnect.ErrSignature):
		return "the platform refuses the signature: check TC_SECRET_KEY, and set it in single quotes so that the shell leaves it alone"
	case errors.Is(err, threatconnect.ErrTokenRefused):
		return "the platform refuses the token: get a new one for TC_TOKEN"
	case errors.Is(err, threatconnect.ErrOwnerRefused):
		return "there is no owner of this name that the API user can see: check TC_OWNER or -owner"
	case errors.Is(err, threatconnect.ErrBatchDisabled):
		return "the instance has no batch API: ask its administrator to switch it on"
	case errors.Is(err, threatconnect.ErrBadResponse) && errors.Is(err, threatconnect.ErrNotFound):
		return "there is no API at the base URL: is /api missing at its end?"
	}
	return plain(err)
}

// plain returns the text of an error without the name of the package that it came from.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "threatconnect: ") }
