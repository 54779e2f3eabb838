module github.com/threatconnect-go/threatconnect/cmd/threatconnect

go 1.26.0

require (
	github.com/stretchr/testify v1.12.1
	github.com/threatconnect-go/threatconnect v0.1.0
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)
