package threatconnecttest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"testing"
)

// exampleTB runs a test in an example and prints its errors.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()                           {}
func (*exampleTB) Failed() bool                      { return false }
func (*exampleTB) Skipped() bool                     { return false }
func (e *exampleTB) Cleanup(do func())               { e.cleanups = append(e.cleanups, do) }
func (*exampleTB) Error(args ...any)                 { fmt.Println(args...) }
func (*exampleTB) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func runTest(test func(testing.TB)) {
	tb := new(exampleTB)
	test(tb)
	for len(tb.cleanups) > 0 {
		last := len(tb.cleanups) - 1
		tb.cleanups[last]()
		tb.cleanups = tb.cleanups[:last]
	}
}

// sign signs a string as documented by the platform.
func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
