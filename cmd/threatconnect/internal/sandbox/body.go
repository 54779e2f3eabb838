package sandbox

import (
	"io"
	"net/http"
	"time"
)

// limitedBody is the body of a request with a timeout for each read.
type limitedBody struct {
	io.ReadCloser
	connection *http.ResponseController
}

// Read fails if nothing arrives within silentBody. It clears the deadline afterwards, which would otherwise
// apply to the read with which the server waits for the client to disconnect.
func (b *limitedBody) Read(p []byte) (int, error) {
	_ = b.connection.SetReadDeadline(time.Now().Add(silentBody)) // every server of net/http can
	n, err := b.ReadCloser.Read(p)
	_ = b.connection.SetReadDeadline(time.Time{})
	return n, err
}
