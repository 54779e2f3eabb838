// Package threatconnecttest is a ThreatConnect instance for tests: a stateful server of the v2 REST
// API that lives in the memory of the test.
package threatconnecttest
