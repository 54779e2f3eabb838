package threatconnect_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/threatconnect-go/threatconnect"
)

func TestXIDsAreThoseOfTcEx(t *testing.T) {
	t.Parallel()
	for want, parts := range map[string][]string{
		"2197e43b831d0d8152ef47c9fa55bd2fb46632548ffa40fc51759e55bea4f205": {"pytest", "adversary", "pytest-adversary-i1-001"},
		"9ada379c7d1adf626e96735711d34cb973a08399e235840410d9acdae3610163": {"pytest", "threat", "pytest-threat-i1-001"},
		"aa1a0ac3e8dba4d96f53e5152e74c43c029624eb5f20ecc105f2fa2c92dbe638": {"my", "adversary", "123"},
		"f962c652c3cbad8a843f37a6c6df2c5e27c2b941b91b26d7f45a900efbf0d42e": {"Threat", "Malc0de", "Example"},
		"da3811154d59c4267077ddd8bb768fa9b06399c486e1fc00485116b57c9872f5": {"a"},
	} {
		assert.Equal(t, want, threatconnect.XID(parts...), "%v", parts)
	}
	for want, text := range map[string]string{
		"ef6a74c2a9f5a6d080c80224317948f1ee8df995292dcf97a39ea4fd757c3c19": "myapp-adversary-5",
		"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb": "a",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad": "abc",
	} {
		assert.Equal(t, want, threatconnect.XIDFromText(text), text)
	}
}

func TestXIDMindsTheOrderOfItsPartsButNotTheirBounds(t *testing.T) {
	t.Parallel()
	assert.NotEqual(t, threatconnect.XID("a", "b"), threatconnect.XID("b", "a"))
	assert.Equal(t, threatconnect.XID("a", "b"), threatconnect.XID("a-b"), "as TcEx does")
}

func ExampleXID() {
	fmt.Println(threatconnect.XID("my", "adversary", "123"))
	// Output: aa1a0ac3e8dba4d96f53e5152e74c43c029624eb5f20ecc105f2fa2c92dbe638
}
