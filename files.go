package threatconnect

import (
	"encoding/json"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// FileOccurrence is a name or path under which a file was found. At least one field is set.
type FileOccurrence struct {
	ID       int64     `json:"id,omitzero"` // read only
	FileName string    `json:"fileName,omitzero"`
	Path     string    `json:"path,omitzero"`
	Date     time.Time `json:"date,omitzero"`

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

func (o *FileOccurrence) write(w *wire.Writer) {
	w.BeginObject()
	text(w, "fileName", o.FileName)
	text(w, "path", o.Path)
	when(w, "date", o.Date)
	w.EndObject()
}

func readFileOccurrence(r *wire.Reader) FileOccurrence {
	var o FileOccurrence
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "id":
			o.ID = r.ID()
		case "fileName":
			o.FileName = r.Text()
		case "path":
			o.Path = r.Text()
		case "date":
			o.Date = r.Time()
		default:
			keepExtra(&o.Extra, r)
		}
	}
	return o
}
