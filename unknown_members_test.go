package threatconnect

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// readersOfStructs returns the function that reads each struct of the platform's responses.
func readersOfStructs() map[reflect.Type]func(*wire.Reader) any {
	readers := map[reflect.Type]func(*wire.Reader) any{}
	addReader(readers, readAssociationType)
	addReader(readers, readAttribute)
	addReader(readers, readAttributeType)
	addReader(readers, readAdversaryAsset(nil))
	addReader(readers, readBulkStatus)
	addReader(readers, readDeleted)
	addReader(readers, readFalsePositives)
	addReader(readers, readFileOccurrence)
	addReader(readers, readIndicatorType)
	addReader(readers, readMetric)
	addReader(readers, readObservation)
	addReader(readers, readObservationCount)
	addReader(readers, readObserved)
	addReader(readers, readObservedBy)
	addReader(readers, readOwner)
	addReader(readers, readOwnerMetric)
	addReader(readers, func(r *wire.Reader) Playbook { return readPlaybook(r, nil) })
	addReader(readers, readResolution)
	addReader(readers, readSecurityLabel)
	addReader(readers, readTag)
	addReader(readers, readUser)
	addReader(readers, func(r *wire.Reader) Task { return *readTask(r) })
	addReader(readers, func(r *wire.Reader) Victim { return *readVictimOf("")(r) })
	addReader(readers, func(r *wire.Reader) BatchStatus {
		a, err := readBatchAnswer(r.Raw())
		if err != nil {
			r.Fail(err.Error())
		}
		return a.BatchStatus
	})
	for i := range indicatorDefs {
		def := &indicatorDefs[i]
		readers[reflect.TypeOf(def.new()).Elem()] = func(r *wire.Reader) any { return readIndicator(r, def) }
	}
	custom := customDef(&IndicatorTypeInfo{Name: "Custom"})
	readers[reflect.TypeFor[CustomIndicator]()] = func(r *wire.Reader) any { return readIndicator(r, custom) }
	for i := range groupDefs {
		def := &groupDefs[i]
		readers[reflect.TypeOf(def.new()).Elem()] = func(r *wire.Reader) any { return readGroup(r, def) }
	}
	addReader(readers, func(r *wire.Reader) UnknownGroup { return *readAnyGroup(r).(*UnknownGroup) })
	for i := range victimAssetDefs {
		def := &victimAssetDefs[i]
		readers[reflect.TypeOf(def.new()).Elem()] = func(r *wire.Reader) any { return readVictimAsset(def)(r) }
	}
	addReader(readers, func(r *wire.Reader) UnknownVictimAsset { return *readVictimAsset(nil)(r).(*UnknownVictimAsset) })
	return readers
}

func addReader[T any](readers map[reflect.Type]func(*wire.Reader) any, read func(*wire.Reader) T) {
	readers[reflect.TypeFor[T]()] = func(r *wire.Reader) any { return read(r) }
}

func TestUnknownMembersAreKept(t *testing.T) {
	t.Parallel()
	for typ, read := range readersOfStructs() {
		t.Run(typ.Name(), func(t *testing.T) {
			t.Parallel()
			r := wire.NewReader([]byte(`{"newMember":{"a":[1]}}`))
			v := reflect.Indirect(reflect.ValueOf(read(r)))
			require.NoError(t, r.Err())
			assert.Equal(t, map[string]json.RawMessage{"newMember": json.RawMessage(`{"a":[1]}`)}, v.FieldByName("Extra").Interface())
		})
	}
}

// withoutExtra lists the structs of results that need no Extra.
var withoutExtra = map[reflect.Type]string{
	reflect.TypeFor[BulkRow]():             "a row of CSV",
	reflect.TypeFor[GroupAdditional]():     "members of the group, whose Extra has the unknown ones",
	reflect.TypeFor[IndicatorAdditional](): "members of the indicator, whose Extra has the unknown ones",
	reflect.TypeFor[IndicatorRef]():        "made by this package",
	reflect.TypeFor[AISummary]():           "members of the group, whose Extra has the unknown ones",
	reflect.TypeFor[ValueInfo]():           "members of the type, whose Extra has the unknown ones",
	reflect.TypeFor[MetricReading]():       "two members of a response without an envelope",
	reflect.TypeFor[BatchItemError]():      "an entry of an error file, which can repeat whole items",

	reflect.TypeFor[Members]():      "made by this package",
	reflect.TypeFor[LookupResult](): "made by this package",
	reflect.TypeFor[LogHandler]():   "made by this package",
	reflect.TypeFor[BatchWriter]():  "made by this package",
	reflect.TypeFor[BatchStats]():   "made by this package",
	reflect.TypeFor[BatchCounts]():  "made by this package",

	reflect.TypeFor[ReconcileReport]():                   "made by this package",
	reflect.TypeFor[ReconcileCounts]():                   "made by this package",
	reflect.TypeFor[TypedIndicators[*CustomIndicator]](): "made by this package",
}

func TestEveryStructOfAResponseKeepsUnknownMembers(t *testing.T) {
	t.Parallel()
	results := map[reflect.Type]bool{}
	collectResults(reflect.TypeFor[Client](), results)
	require.Greater(t, len(results), 50)
	readers := readersOfStructs()
	for typ := range results {
		_, read := readers[typ]
		_, exempt := withoutExtra[typ]
		assert.NotEqual(t, read, exempt, "%s needs an Extra for unknown members and a reader in readersOfStructs, or a reason in withoutExtra", typ)
	}
	for typ := range withoutExtra {
		assert.True(t, results[typ], "%s is no longer part of a result", typ)
	}
}

// collectResults adds the structs that the methods of a service, and of the services in its fields, return.
func collectResults(service reflect.Type, results map[reflect.Type]bool) {
	for f := range service.Fields() {
		if f.IsExported() && strings.Contains(f.Type.Name(), "Service") || strings.HasPrefix(f.Type.Name(), "Typed") {
			collectResults(f.Type, results)
		}
	}
	if service == reflect.TypeFor[Client]() {
		return
	}
	for method := range service.Methods() {
		for out := range method.Type.Outs() {
			collectStructs(out, results)
		}
	}
}

// collectStructs adds the structs of this package that a type is made of.
func collectStructs(t reflect.Type, results map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collectStructs(t.Elem(), results)
	case reflect.Func: // an iterator
		collectStructs(t.In(0).In(0), results)
	case reflect.Struct:
		if t.PkgPath() != reflect.TypeFor[Client]().PkgPath() || results[t] {
			return
		}
		if !strings.HasPrefix(t.Name(), "Page[") && !strings.HasSuffix(t.Name(), "Meta") {
			results[t] = true
		}
		for field := range t.Fields() {
			if field.IsExported() {
				collectStructs(field.Type, results)
			}
		}
	}
}
