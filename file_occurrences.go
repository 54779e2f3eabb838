package threatconnect

import (
	"context"
	"net/http"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// FileOccurrenceUpdate has the fields of an occurrence that [FileOccurrencesService.Update] changes. Nil fields do not
// change. A pointer to the zero value clears the field: Update sends "" for text and null for the date. The platform
// does not document how to clear a field.
type FileOccurrenceUpdate struct {
	FileName *string
	Path     *string
	Date     *time.Time
}

// FileOccurrencesService manages the occurrences of files: the names, paths and dates with which they were found. Its
// methods take a [*File], or an [IndicatorRef] of [TypeFile] with one of its hashes, and return a [*ValidationError]
// for other resources before anything is sent.
//
// The service is safe for concurrent use.
type FileOccurrencesService struct{ service }

// On returns the occurrences of a file. It costs one request per 500 occurrences.
//
//	API: GET /v2/indicators/files/{indicator}/fileOccurrences
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s FileOccurrencesService) On(ctx context.Context, file Resource) ([]FileOccurrence, error) {
	t, err := s.c.targetOfType(ctx, file, TypeFile)
	if err != nil {
		return nil, err
	}
	return listOn(ctx, s.c, t, "fileOccurrence", readFileOccurrence)
}

// Get returns one occurrence of a file. If the file does not have it, the error matches [ErrNotFound]. It
// costs one request.
//
//	API: GET /v2/indicators/files/{indicator}/fileOccurrences/{fileOccurrenceId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s FileOccurrencesService) Get(ctx context.Context, file Resource, occurrenceID int64) (FileOccurrence, error) {
	t, err := s.occurrence(ctx, file, occurrenceID)
	if err != nil {
		return FileOccurrence{}, err
	}
	return one(ctx, s.c, t.call(http.MethodGet, nil), []string{"fileOccurrence"}, readFileOccurrence)
}

// Add creates an occurrence of a file and returns it with its ID. The platform returns dates in UTC. It
// costs one request and is not retried after an unknown outcome, because a retry could create a second
// one.
//
//	API: POST /v2/indicators/files/{indicator}/fileOccurrences
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s FileOccurrencesService) Add(ctx context.Context, file Resource, occurrence FileOccurrence) (FileOccurrence, error) {
	t, err := s.c.targetOfType(ctx, file, TypeFile)
	if err != nil {
		return FileOccurrence{}, err
	}
	if occurrence.FileName == "" && occurrence.Path == "" && occurrence.Date.IsZero() {
		return FileOccurrence{}, &ValidationError{Field: "file occurrence", Rule: "is empty", Fix: "set its file name, its path or its date"}
	}
	t.route = t.route.under("fileOccurrences")
	var w wire.Writer
	occurrence.write(&w)
	body, err := written(&w, "file occurrence")
	if err != nil {
		return FileOccurrence{}, err
	}
	return one(ctx, s.c, t.call(http.MethodPost, body), []string{"fileOccurrence"}, readFileOccurrence)
}

// Update changes an occurrence of a file and returns it. It sends only the fields that update sets, and returns a
// [*ValidationError] if none is set. It costs one request.
//
//	API: PUT /v2/indicators/files/{indicator}/fileOccurrences/{fileOccurrenceId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s FileOccurrencesService) Update(ctx context.Context, file Resource, occurrenceID int64, update FileOccurrenceUpdate) (FileOccurrence, error) {
	t, err := s.occurrence(ctx, file, occurrenceID)
	if err != nil {
		return FileOccurrence{}, err
	}
	body, err := updateBody("FileOccurrenceUpdate", "file occurrence", []updateField{
		{name: "FileName", key: "fileName", value: update.FileName},
		{name: "Path", key: "path", value: update.Path},
		{name: "Date", key: "date", value: update.Date},
	})
	if err != nil {
		return FileOccurrence{}, err
	}
	return one(ctx, s.c, t.call(http.MethodPut, body), []string{"fileOccurrence"}, readFileOccurrence)
}

// Remove deletes an occurrence of a file. If the file does not have it, the error matches [ErrNotFound]. Remove costs
// one request.
//
//	API: DELETE /v2/indicators/files/{indicator}/fileOccurrences/{fileOccurrenceId}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/indicators/indicators.html
func (s FileOccurrencesService) Remove(ctx context.Context, file Resource, occurrenceID int64) error {
	t, err := s.occurrence(ctx, file, occurrenceID)
	if err != nil {
		return err
	}
	return s.c.remove(ctx, t.route, t.owner)
}

// occurrence returns the target of an occurrence of a file.
func (s FileOccurrencesService) occurrence(ctx context.Context, file Resource, occurrenceID int64) (target, error) {
	t, err := s.c.targetOfType(ctx, file, TypeFile)
	if err == nil && occurrenceID <= 0 {
		err = &ValidationError{Field: "file occurrence id", Rule: "must be a positive number", Fix: "list the occurrences of the file to learn their ids"}
	}
	if err != nil {
		return target{}, err
	}
	t.route = t.route.under("fileOccurrences", id(occurrenceID))
	return t, nil
}
