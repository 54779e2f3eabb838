module github.com/threatconnect-go/threatconnect/bench

go 1.26.0

require github.com/threatconnect-go/threatconnect v0.0.0

require (
	github.com/google/go-querystring v1.2.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/threatconnect-go/threatconnect => ..
