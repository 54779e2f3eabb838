// Package lint contains tests that check the source code of the module against its architecture.
package lint
