package sandbox

import (
	"io"
	"net/http"
	"time"
)

// limitedBody is the body of a request. A client that stops sending it cannot hold the connection.
type limitedBody struct {
	io.ReadCloser
	connection *http.ResponseController
}

// Read reads what arrives within silentBody. It clears the deadline, because a read behind the end of the
// body sets one for the read with which the server waits for the client to leave.
func (b *limitedBody) Read(p []byte) (int, error) {
	_ = b.connection.SetReadDeadline(time.Now().Add(silentBody)) // every server of net/http can
	n, err := b.ReadCloser.Read(p)
	_ = b.connection.SetReadDeadline(time.Time{})
	return n, err
}
