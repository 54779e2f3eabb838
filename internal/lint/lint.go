// Package lint has tests that check the source code of the module by rules of its architecture.
package lint
