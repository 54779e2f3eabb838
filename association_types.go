package threatconnect

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// AssociationTypeInfo describes a type of associations of the instance.
type AssociationTypeInfo struct {
	Name       string          `json:"name"`       // the name in batch files; several types can have the same
	Branch     AssociationType `json:"apiBranch"`  // its path segment; convert that of a file action to FileAction
	Custom     bool            `json:"custom"`     // whether it is the instance's own
	FileAction bool            `json:"fileAction"` // whether it is an action of a file

	Extra map[string]json.RawMessage `json:"extra,omitzero"` // members that this package has no field for
}

// Associations returns an iterator over the association types of the instance: the group types, those
// between two indicators, and the file actions. It requests a page only when the loop reaches it. If a
// request fails, the iterator yields the error and stops.
//
//	API: GET /v2/types/associationTypes
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s TypesService) Associations(ctx context.Context, opts *ListOptions) iter.Seq2[AssociationTypeInfo, error] {
	return lister[AssociationTypeInfo]{
		client: s.c, options: copyOf(opts), route: at("v2", "types", "associationTypes"),
		keys: []string{"associationType"}, read: readAssociationType,
	}.all(ctx)
}

// Association reads one association type by its name, as in "ASN to CIDR". It costs one request.
//
//	API: GET /v2/types/associationTypes/{associationType}
//
// See https://docs.threatconnect.com/en/latest/rest_api/v2/associations/associations.html
func (s TypesService) Association(ctx context.Context, name string) (AssociationTypeInfo, error) {
	return one(ctx, s.c, &call{method: http.MethodGet, route: at("v2", "types", "associationTypes", value(name))}, []string{"associationType"},
		readAssociationType)
}

func readAssociationType(r *wire.Reader) AssociationTypeInfo {
	var t AssociationTypeInfo
	for r.Object(); r.NextKey(); {
		switch string(r.Key()) {
		case "name":
			t.Name = r.Text()
		case "apiBranch":
			t.Branch = AssociationType(r.Text())
		case "custom":
			t.Custom = r.Bool()
		case "fileAction":
			t.FileAction = r.Bool()
		default:
			keepExtra(&t.Extra, r)
		}
	}
	return t
}
