package p

import "testing"

func TestTested(t *testing.T) {
	if Tested(2) || !Tested(3) {
		t.Error("want more than 2")
	}
}
