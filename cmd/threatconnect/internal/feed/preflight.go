package feed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/cmd/threatconnect/internal/cli"
)

// preflightTime limits the preflight. On an instance that answers, it takes three short requests.
const preflightTime = 14 * time.Second

var errPreflight = errors.New("the instance takes longer than 14 seconds to answer: try again later, or check the proxy")

// emptyFile is a batch file without items.
const emptyFile = `{"group":[],"indicator":[],"association":[]}`

// preflight checks before the first item whether the import can work. One request checks URL, credentials, clock
// and owner. A batch job without items, which ends at once, checks the batch API and the right to write; a dry run
// omits it.
func (im *importer) preflight(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, preflightTime, errPreflight)
	defer cancel()
	if _, err := cli.CheckOwners(ctx, im.client, im.cfg.owner); err != nil || im.cfg.dryRun {
		return err
	}
	id, err := im.client.Batch.Create(ctx, threatconnect.BatchJob{Owner: im.cfg.owner, Attributes: im.cfg.attributes})
	if err == nil {
		_, err = im.client.Batch.Upload(ctx, id, strings.NewReader(emptyFile))
	}
	switch {
	case err == nil || id > 0 && isTemporary(err): // a job without a file does nothing
		return nil
	case errors.Is(err, errPreflight):
		return errPreflight
	case errors.Is(err, context.Canceled), errors.Is(err, threatconnect.ErrBatchDisabled), errors.Is(err, threatconnect.ErrSignature), errors.Is(err, threatconnect.ErrClockSkew),
		errors.Is(err, threatconnect.ErrTokenRefused):
		return err
	case errors.Is(err, threatconnect.ErrUnauthorized), errors.Is(err, threatconnect.ErrForbidden):
		return fmt.Errorf("the API user may not import into the owner %q: give it a role that can write there, or choose another --owner", im.cfg.owner)
	}
	return fmt.Errorf("a batch job without items was refused: %w", err)
}

// isTemporary reports whether the upload of a file may succeed later, or may have succeeded.
func isTemporary(err error) bool {
	return !errors.Is(err, threatconnect.ErrBatchDisabled) &&
		(errors.Is(err, threatconnect.ErrOutcomeUnknown) || errors.Is(err, threatconnect.ErrServer) || errors.Is(err, threatconnect.ErrRateLimited))
}
