package threatconnect_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/internal/wiretest"
)

func TestInOwnerCopiesClient(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"host":{}}}`)}}
	c := clientOf(t, s, threatconnect.WithOwner("First"))
	other := c.InOwner("Second & Third")
	for _, call := range []struct {
		client *threatconnect.Client
		query  string
	}{{other, "owner=Second%20%26%20Third"}, {c, "owner=First"}, {other.InOwner(""), ""}} {
		s.Sent = nil
		_, err := call.client.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{Include: threatconnect.Include{OmitAdditional: true}})
		require.NoError(t, err)
		assert.Equal(t, call.query, s.Sent[0].URL.RawQuery)
	}
	assert.Equal(t, "First", c.Owner())
	assert.Equal(t, "Second & Third", other.Owner())
	s.Sent = nil
	bad := c.InOwner("a\r\nb")
	require.ErrorIs(t, bad.Indicators.Hosts.Delete(t.Context(), "a.example"), threatconnect.ErrValidation)
	require.ErrorIs(t, bad.InOwner("fine").Indicators.Hosts.Delete(t.Context(), "a.example"), threatconnect.ErrValidation)
	assert.Empty(t, s.Sent)
}

// Only the client sets the owner of a new object. An object read from one owner must not be created in another by
// mistake.
func TestCreateRejectsObjectOfAnotherOwner(t *testing.T) {
	t.Parallel()
	s := &wiretest.Steps{Do: steps{wiretest.Answer(200, `{"data":{"host":{},"incident":{},"task":{},"victim":{}}}`)}}
	from := threatconnect.Owner{Name: "First & Best"}
	host, incident := threatconnect.NewHost("a.example"), threatconnect.NewIncident("A", time.Unix(1, 0))
	host.Owner, incident.Owner = from, from
	for name, create := range map[string]func(*threatconnect.Client) error{
		"an indicator": func(c *threatconnect.Client) error { return second(c.Indicators.Create(t.Context(), host)) },
		"a host":       func(c *threatconnect.Client) error { return second(c.Indicators.Hosts.Create(t.Context(), host)) },
		"a group":      func(c *threatconnect.Client) error { return second(c.Groups.Create(t.Context(), incident)) },
		"an incident":  func(c *threatconnect.Client) error { return second(c.Groups.Incidents.Create(t.Context(), incident)) },
		"a task": func(c *threatconnect.Client) error {
			return second(c.Tasks.Create(t.Context(), &threatconnect.Task{Name: "A", Owner: from}))
		},
		"a victim": func(c *threatconnect.Client) error {
			return second(c.Victims.Create(t.Context(), &threatconnect.Victim{Name: "A", Owner: from}))
		},
	} {
		c := clientOf(t, s, threatconnect.WithOwner("Second"))
		s.Sent = nil
		for _, other := range []*threatconnect.Client{c, c.InOwner("")} {
			err := create(other)
			require.ErrorIs(t, err, threatconnect.ErrValidation, name)
			require.ErrorContains(t, err, "owner is not the client's owner")
			assert.NotContains(t, err.Error(), "First")
		}
		assert.Empty(t, s.Sent, name)
		require.NoError(t, create(c.InOwner(from.Name)), name)
		assert.Equal(t, "owner=First%20%26%20Best", s.Sent[0].URL.RawQuery, name)
	}
}

func TestCallOptions(t *testing.T) {
	t.Parallel()
	busy := wiretest.Answer(503, "busy")
	s := &wiretest.Steps{Do: steps{busy}}
	c := clientOf(t, s, threatconnect.WithActivityLog(true), threatconnect.WithRetry(threatconnect.RetryPolicy{MaxAttempts: 2, BaseDelay: 1}))
	once := threatconnect.CallOptions{
		Retry: &threatconnect.RetryPolicy{MaxAttempts: 1}, ActivityLog: new(false), Header: http.Header{"x-request-id": {"7"}},
	}
	get := func(c *threatconnect.Client, o threatconnect.CallOptions) http.Header {
		s.Sent = nil
		_, err := c.Indicators.Hosts.Get(t.Context(), "a.example", &threatconnect.IndicatorGetOptions{CallOptions: o, Include: threatconnect.Include{OmitAdditional: true}})
		require.ErrorIs(t, err, threatconnect.ErrUnavailable)
		return s.Sent[0].Header
	}
	assert.Empty(t, get(c, threatconnect.CallOptions{})["X-Request-Id"])
	assert.Len(t, s.Sent, 2)
	assert.Equal(t, "createActivityLog=true", s.Sent[0].URL.RawQuery)

	assert.Equal(t, []string{"7"}, get(c, once)["X-Request-Id"])
	assert.Len(t, s.Sent, 1)
	assert.Equal(t, "createActivityLog=false", s.Sent[0].URL.RawQuery)

	// The options of a copy apply to every call. Those of a call take precedence.
	copied := c.With(once)
	once.Header.Set("x-request-id", "changed")
	*once.ActivityLog = true
	*once.Retry = threatconnect.RetryPolicy{MaxAttempts: 5}
	assert.Equal(t, []string{"7"}, get(copied, threatconnect.CallOptions{})["X-Request-Id"])
	assert.Equal(t, "createActivityLog=false", s.Sent[0].URL.RawQuery)
	header := get(copied.InOwner(""), threatconnect.CallOptions{ActivityLog: new(true), Header: http.Header{"X-Other": {"8"}}})
	assert.Equal(t, []any{[]string{"7"}, []string{"8"}}, []any{header["X-Request-Id"], header["X-Other"]})
	assert.Equal(t, "createActivityLog=true", s.Sent[0].URL.RawQuery)
	assert.Len(t, s.Sent, 1)

	s.Sent = nil
	for _, bad := range []threatconnect.CallOptions{
		{Retry: &threatconnect.RetryPolicy{MaxAttempts: -1}}, {Header: http.Header{"Authorization": {"x"}}}, {Header: http.Header{"X-A": {"a\r\nb"}}},
	} {
		_, err := c.Groups.List(t.Context(), &threatconnect.GroupListOptions{ListOptions: threatconnect.ListOptions{CallOptions: bad}})
		require.ErrorIs(t, err, threatconnect.ErrValidation)
		require.ErrorIs(t, c.With(bad).Tags.Add(t.Context(), relatedHost, "x"), threatconnect.ErrValidation)
	}
	assert.Empty(t, s.Sent)
}

// No method may panic on a client that NewClient did not create, or with a nil context: all must
// return errors.
func TestZeroClientAndNilContextReturnErrors(t *testing.T) {
	t.Parallel()
	var nilClient *threatconnect.Client
	working := clientOf(t, &wiretest.Steps{Do: steps{wiretest.Answer(200, successes)}})
	for name, of := range map[string]struct {
		client *threatconnect.Client
		ctx    context.Context
	}{
		"a zero client":       {new(threatconnect.Client), t.Context()},
		"a nil client's copy": {nilClient.InOwner("x"), t.Context()},
		"a nil client's with": {nilClient.With(threatconnect.CallOptions{ActivityLog: new(true)}), t.Context()},
		"a nil context":       {working, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := reflect.ValueOf(of.client).Elem()
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					callEveryMethod(t, of.ctx, v.Type().Field(i).Name, v.Field(i))
				}
			}
			_, err := of.client.Do(of.ctx, threatconnect.Request{Method: "GET", Path: "/v2/owners"})
			require.ErrorIs(t, err, threatconnect.ErrValidation)
			_ = of.client.String() + of.client.BaseURL() + of.client.UserAgent() + of.client.Owner()
		})
	}
}

// A struct type must be a value in every method, or a pointer in every method.
func TestANounIsAValueOrAPointerEverywhere(t *testing.T) {
	t.Parallel()
	value, pointer := map[reflect.Type]string{}, map[reflect.Type]string{}
	client := reflect.TypeFor[threatconnect.Client]()
	for f := range client.Fields() {
		if f.IsExported() {
			nounsOf(f.Name, f.Type, value, pointer)
		}
	}
	require.Contains(t, value, reflect.TypeFor[threatconnect.Tag]())
	require.Contains(t, pointer, reflect.TypeFor[threatconnect.Task]())
	for noun, method := range value {
		assert.NotContains(t, pointer, noun, "%s is a value in %s and a pointer in %s", noun, method, pointer[noun])
	}
}

// nounsOf records the structs that the methods of a service take and return, as values and as pointers.
func nounsOf(name string, service reflect.Type, value, pointer map[reflect.Type]string) {
	if service.Kind() != reflect.Struct {
		return
	}
	for f := range service.Fields() {
		if f.IsExported() {
			nounsOf(name+"."+f.Name, f.Type, value, pointer)
		}
	}
	var add func(method string, typ reflect.Type)
	add = func(method string, typ reflect.Type) {
		page := typ.Kind() == reflect.Pointer && strings.HasPrefix(typ.Elem().Name(), "Page[")
		switch {
		case page:
			add(method, typ.Elem().Field(0).Type)
		case typ.Kind() == reflect.Func && typ.CanSeq2():
			add(method, typ.In(0).In(0)) // the first parameter of yield
		case typ.Kind() == reflect.Slice:
			add(method, typ.Elem())
		case typ.Kind() == reflect.Struct:
			value[typ] = method
		case typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct:
			pointer[typ.Elem()] = method
		}
	}
	for m := range service.Methods() {
		for n := 1; n < m.Type.NumIn(); n++ {
			add(name+"."+m.Name, m.Type.In(n))
		}
		for out := range m.Type.Outs() {
			add(name+"."+m.Name, out)
		}
	}
}

// callEveryMethod calls the methods of a service, and of the services in its fields, with arguments
// that are valid except for the context.
func callEveryMethod(t *testing.T, ctx context.Context, name string, service reflect.Value) {
	if service.Kind() != reflect.Struct {
		return
	}
	for i := range service.NumField() {
		if f := service.Type().Field(i); f.IsExported() {
			callEveryMethod(t, ctx, name+"."+f.Name, service.Field(i))
		}
	}
	for i := range service.NumMethod() {
		method := service.Method(i)
		called := name + "." + service.Type().Method(i).Name
		typ := method.Type()
		if typ.NumIn() == 0 || typ.In(0) != reflect.TypeFor[context.Context]() {
			continue
		}
		args := []reflect.Value{reflect.Zero(typ.In(0))}
		if ctx != nil {
			args[0] = reflect.ValueOf(ctx)
		}
		for n := 1; n < typ.NumIn(); n++ {
			if typ.IsVariadic() && n == typ.NumIn()-1 {
				args = append(args, fineArgument(typ.In(n).Elem()))
				break
			}
			args = append(args, fineArgument(typ.In(n)))
		}
		var results []reflect.Value
		if !assert.NotPanics(t, func() { results = method.Call(args) }, called) {
			continue
		}
		last := results[len(results)-1]
		if last.Kind() == reflect.Func {
			last = firstErrorOf(t, called, last)
		}
		err, ok := reflect.TypeAssert[error](last)
		assert.True(t, ok && err != nil, "%s returned no error", called)
	}
}

// firstErrorOf ranges over a sequence and returns its first error.
func firstErrorOf(t *testing.T, called string, seq reflect.Value) reflect.Value {
	var got error
	assert.NotPanics(t, func() {
		for _, err := range seq.Seq2() {
			got, _ = reflect.TypeAssert[error](err)
			break
		}
	}, called)
	return reflect.ValueOf(&got).Elem()
}

func fineArgument(typ reflect.Type) reflect.Value {
	for _, v := range []any{
		"a.example", int64(7), relatedHost, threatconnect.Filters{}, threatconnect.NewIncident("a", time.Unix(1, 0)),
	} {
		if reflect.TypeOf(v).AssignableTo(typ) {
			return reflect.ValueOf(v)
		}
	}
	if typ.Kind() == reflect.Pointer && typ.Elem().Kind() == reflect.Struct {
		return reflect.New(typ.Elem())
	}
	return reflect.Zero(typ)
}

// The options struct of every method that calls the platform must embed CallOptions.
func TestEveryOptionsStructHasCallOptions(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Type.Kind() == reflect.Struct {
				visit(v.Field(i))
			}
		}
		for _, method := range v.Methods() {
			for in := range method.Type().Ins() {
				if in.Kind() == reflect.Pointer && strings.HasSuffix(in.Elem().Name(), "Options") {
					seen[in.Elem()] = true
				}
			}
		}
	}
	client := clientOf(t, &wiretest.Steps{})
	visit(reflect.ValueOf(struct{ *threatconnect.Client }{client}))
	visit(reflect.ValueOf(client).Elem())
	require.Contains(t, seen, reflect.TypeFor[threatconnect.ChangeOptions]())
	require.Greater(t, len(seen), 15)
	for typ := range seen {
		if typ == reflect.TypeFor[threatconnect.LogHandlerOptions]() {
			continue // options of a handler, not of a call
		}
		field, ok := typ.FieldByName("CallOptions")
		assert.True(t, ok && field.Anonymous, typ)
	}
}
