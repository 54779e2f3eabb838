// Package threatconnect is a client for the ThreatConnect v2 REST API.
package threatconnect
