package threatconnecttest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
)

// The content types have no charset because some clients compare them for equality.
const (
	jsonType = "application/json"
	textType = "text/plain"
)

// answer is the response of a handler.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	rest    io.Reader // follows body; nil for none, otherwise the response has no Content-Length
	message string    // error message; empty for success
}

// success responds with {"status":"Success"}.
func success(status int) *answer { return jsonAnswer(status, []byte(`{"status":"Success"}`)) }

// fail responds with an error in the platform's JSON envelope.
func fail(status int, message string) *answer {
	b := append([]byte(`{"status":"Failure","message":`), quoteJSON(message)...)
	a := jsonAnswer(status, append(b, '}'))
	a.message = message
	return a
}

// invalid responds with an error of the batch API, which has a description instead of a message.
func invalid(status int, description string) *answer {
	b := append([]byte(`{"status":"Invalid","description":`), quoteJSON(description)...)
	a := jsonAnswer(status, append(b, '}'))
	a.message = description
	return a
}

// notAuthorized refuses a batch job as older instances do.
func notAuthorized(description string) *answer {
	a := invalid(http.StatusForbidden, description)
	a.body = bytes.Replace(a.body, []byte("Invalid"), []byte("Not Authorized"), 1)
	return a
}

// text responds with a bare sentence.
func text(status int, sentence string) *answer {
	return &answer{
		status:  status,
		header:  http.Header{"Content-Type": {textType}},
		body:    []byte(sentence),
		message: sentence,
	}
}

func jsonAnswer(status int, body []byte) *answer {
	return &answer{status: status, header: http.Header{"Content-Type": {jsonType}}, body: body}
}

// applyOddities changes an error to the shape that the oddities require.
func (a *answer) applyOddities(odd Oddity) {
	if a.message == "" {
		return
	}
	isJSON := a.header.Get("Content-Type") == jsonType
	switch {
	case odd&OddityPlainTextErrors != 0:
		a.header.Set("Content-Type", textType)
		a.body, isJSON = []byte(a.message), false
	case odd&OddityErrorWord != 0 && isJSON:
		a.body = bytes.Replace(a.body, []byte(`"Failure"`), []byte(`"Error"`), 1)
	}
	if odd&OddityFailureWith200 != 0 && isJSON && a.status == http.StatusNotFound {
		a.status = http.StatusOK
	}
}

func quoteJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}
