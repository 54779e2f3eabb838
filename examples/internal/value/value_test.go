package value

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/threatconnect-go/threatconnect"
)

func TestAsReadsValuesOfItsType(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		typ      threatconnect.IndicatorType
		summary  string // empty when the value is refused
	}{
		{"address", "203[.]0[.]113[.]1", threatconnect.TypeAddress, "203.0.113.1"},
		{"IP", "evil.example", threatconnect.TypeAddress, ""},
		{"asn", "AS 64496", threatconnect.TypeASN, "ASN64496"},
		{"cidr", "192.0.2.0/24", threatconnect.TypeCIDR, "192.0.2.0/24"},
		{"E-Mail", "a(at)b[.]example", threatconnect.TypeEmailAddress, "a@b.example"},
		{"Email Address", "a@b.example", threatconnect.TypeEmailAddress, "a@b.example"},
		{"file", "00112233445566778899aabbccddeeff", threatconnect.TypeFile, "00112233445566778899AABBCCDDEEFF"},
		{"sha256", "no hash", threatconnect.TypeFile, ""},
		{"host", "invoice.exe", threatconnect.TypeHost, "invoice.exe"},
		{"domain", "Bücher[.]example", threatconnect.TypeHost, "xn--bcher-kva.example"},
		{"mutex", `Global\a[.]b`, threatconnect.TypeMutex, `Global\a[.]b`},
		{"Registry_Key", `HKLM\Software\Example : Run : REG_SZ`, threatconnect.TypeRegistryKey, `HKEY_LOCAL_MACHINE\Software\Example : Run : REG_SZ`},
		{"url", "hxxp://a[.]example/x", threatconnect.TypeURL, "http://a.example/x"},
		{"user-agent", "curl/8.0", threatconnect.TypeUserAgent, "curl/8.0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			typ, read, ok := As(tc.name)
			require.True(t, ok)
			assert.Equal(t, tc.typ, typ)
			ind, err := read(tc.in)
			if tc.summary == "" {
				require.ErrorIs(t, err, threatconnect.ErrValidation)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.typ, ind.Type())
			assert.Equal(t, tc.summary, ind.Summary())
		})
	}
}

func TestAsKnowsEveryNameThatItLists(t *testing.T) {
	t.Parallel()
	for _, n := range Names() {
		_, _, ok := As(n)
		assert.True(t, ok, n)
	}
	for _, n := range []string{"", "hashtag", "email subject", "colour"} {
		_, _, ok := As(n)
		assert.False(t, ok, n)
	}
}
