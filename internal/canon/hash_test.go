package canon

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Hashes of the empty input.
const (
	emptyMD5    = "D41D8CD98F00B204E9800998ECF8427E"
	emptySHA1   = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
	emptySHA256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
)

func TestHash(t *testing.T) {
	t.Parallel()
	runCanonicalCases(t, Hash, []canonicalCase{
		{name: "an MD5 in capitals stays", in: emptyMD5, want: emptyMD5},
		{name: "an MD5 in lower case gets capitals", in: strings.ToLower(emptyMD5), want: emptyMD5},
		{name: "a SHA-1 gets capitals", in: strings.ToLower(emptySHA1), want: emptySHA1},
		{name: "a SHA-256 gets capitals", in: strings.ToLower(emptySHA256), want: emptySHA256},
		{name: "white space around it is removed", in: " " + emptyMD5 + "\n", want: emptyMD5},

		{name: "an empty value is refused", in: "", rule: "is not hexadecimal"},
		{name: "31 digits are refused", in: emptyMD5[1:], rule: "is not 32, 40 or 64 digits long"},
		{name: "33 digits are refused", in: emptyMD5 + "0", rule: "is not 32, 40 or 64 digits long"},
		{name: "a SHA-512 is refused", in: emptySHA256 + emptySHA256, rule: "is not 32, 40 or 64 digits long"},
		{name: "a letter after F is refused", in: "G" + emptyMD5[1:], rule: "is not hexadecimal"},
		{name: "a space inside is refused", in: emptyMD5[:16] + " " + emptyMD5[17:], rule: "is not hexadecimal"},
	})
}

func TestJoinFileSummary(t *testing.T) {
	t.Parallel()
	assert.Equal(t, emptyMD5+" : "+emptySHA1+" : "+emptySHA256, JoinFileSummary(emptyMD5, emptySHA1, emptySHA256))
	assert.Equal(t, emptyMD5+" : "+emptySHA256, JoinFileSummary(emptyMD5, "", emptySHA256))
	assert.Equal(t, emptySHA1, JoinFileSummary("", emptySHA1, ""))
	assert.Empty(t, JoinFileSummary("", "", ""))
}

func TestSplitFileSummary(t *testing.T) {
	t.Parallel()
	lower := strings.ToLower
	for _, tc := range []struct {
		name, in          string
		md5, sha1, sha256 string
		rule              string
	}{
		{name: "three hashes", in: lower(emptyMD5 + " : " + emptySHA1 + " : " + emptySHA256), md5: emptyMD5, sha1: emptySHA1, sha256: emptySHA256},
		{name: "one hash", in: lower(emptySHA256), sha256: emptySHA256},
		{name: "an empty place on either side", in: " : " + emptySHA1 + " : ", sha1: emptySHA1},
		{name: "empty places at the end", in: emptyMD5 + " :  : ", md5: emptyMD5},
		{name: "empty places whose spaces were trimmed", in: emptyMD5 + " : :", md5: emptyMD5},
		{name: "doubled spaces", in: emptyMD5 + "  :  " + emptySHA256, md5: emptyMD5, sha256: emptySHA256},
		{name: "no spaces", in: emptyMD5 + ":" + emptySHA1, md5: emptyMD5, sha1: emptySHA1},
		{name: "hashes out of order", in: emptySHA256 + " : " + emptyMD5, md5: emptyMD5, sha256: emptySHA256},
		{name: "two of one kind are refused", in: emptyMD5 + " : " + emptyMD5, rule: "has two hashes of one kind"},
		{name: "a missing hash is refused", in: " :  : ", rule: "has no hash"},
		{name: "an empty value is refused", in: "", rule: "has no hash"},
		{name: "a cut hash is refused", in: emptyMD5 + " : " + emptySHA1[1:], rule: "is not 32, 40 or 64 digits long"},
		{name: "text is refused", in: emptyMD5 + " : none", rule: "is not hexadecimal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			md5, sha1, sha256, err := SplitFileSummary(tc.in)
			if tc.rule != "" {
				requireRule(t, err, tc.rule)
			} else {
				require.NoError(t, err)
			}
			assert.Equal(t, []string{tc.md5, tc.sha1, tc.sha256}, []string{md5, sha1, sha256})
		})
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		in, want [3]string
		rule     string
	}{
		{name: "all three", in: [3]string{strings.ToLower(emptyMD5), emptySHA1, " " + emptySHA256}, want: [3]string{emptyMD5, emptySHA1, emptySHA256}},
		{name: "the first alone", in: [3]string{emptyMD5}, want: [3]string{emptyMD5}},
		{name: "the last alone", in: [3]string{"", "", emptySHA256}, want: [3]string{"", "", emptySHA256}},
		{name: "none", rule: "has no hash"},
		{name: "text", in: [3]string{"none"}, rule: "is not hexadecimal"},
		{name: "a SHA-1 as the MD5", in: [3]string{emptySHA1}, rule: "has the length of another hash"},
		{name: "an MD5 as the SHA-1", in: [3]string{"", emptyMD5}, rule: "has the length of another hash"},
		{name: "a SHA-1 as the SHA-256", in: [3]string{emptyMD5, "", emptySHA1}, rule: "has the length of another hash"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := Hashes(tc.in)
			if tc.rule != "" {
				requireRule(t, err, tc.rule)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestHashChecksEveryByte(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		in := string([]byte{byte(c)}) + strings.Repeat("a", 39)
		got, err := Hash(in)
		if !strings.Contains("0123456789abcdefABCDEF", in[:1]) {
			require.Error(t, err, "byte %d", c)
			continue
		}
		require.NoError(t, err, "byte %d", c)
		assert.Equal(t, strings.ToUpper(in), got)
	}
}

func TestIsHexAtEveryPosition(t *testing.T) {
	t.Parallel()
	slowly := func(s string) bool { return s != "" && strings.Trim(s, "0123456789abcdefABCDEF") == "" }
	for size := 1; size <= 64; size++ {
		digits := strings.Repeat("f0A", size)[:size]
		b := []byte(digits)
		for at := range size {
			copy(b, digits)
			for c := range 256 {
				b[at] = byte(c)
				if at > 0 {
					b[at-1] = "f0\xff"[c%3]
				}
				if s := string(b); IsHex(s) != slowly(s) {
					t.Fatalf("%#x at %d of %d: %v", c, at, size, IsHex(s))
				}
			}
		}
	}
	for _, size := range []int{MD5Length, SHA1Length, SHA256Length} {
		s := strings.Repeat("0123456789abcdefABCDEF", 3)[:size]
		assert.Equal(t, strings.ToUpper(s), upperHex(s))
	}
}
