package threatconnect

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func someOutcome() outcome {
	o := outcome{jobs: 3, bytes: 1 << 40, more: 5, lost: []int64{7, 1 << 60}}
	for k := range o.kinds {
		o.kinds[k] = BatchCounts{Succeeded: int64(k) + 1, Failed: 2, Unprocessed: 3, Unknown: 1 << 50}
	}
	o.files = BatchCounts{Failed: 9}
	o.items = []BatchItemError{
		{Seq: -1, Type: "Host", Ref: "a.example", Code: CodeIndicator, Severity: "Error", Reason: "r", Cause: "c", JobID: 4, Unprocessed: true},
		{Seq: 8, Content: true, Err: &ValidationError{Field: "f", Rule: "r", Fix: "x"}},
		{Err: errors.New("some text")},
	}
	return o
}

func TestRecordsAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	imp := importRecord{run: "today", instance: "https://tc.example.com/api", config: "{}", finished: true, added: 1, invalid: 2, again: 3, files: 4, outcome: someOutcome()}
	imp.taken = [itemKinds]int64{1, 2, 3, 4}
	imp.exclusions = exclusions{kinds: [itemKinds]int64{5, 0, 1, 2}, reasons: map[string]int64{"private": 7, "": 1}}
	var gotImport importRecord
	require.True(t, gotImport.decode(imp.encode()))
	assert.Equal(t, imp, gotImport)

	seg := segment{number: 5, job: true, after: 4, added: 10, invalid: 1, again: 2, waited: 3, files: 1, taken: [itemKinds]int64{4, 3, 2, 1}, items: [itemKinds]int64{1, 1, 1, 1},
		sum: 0xfffffffe, groups: []string{"x-1", ""}, held: [][]byte{[]byte("abc")}, released: []int64{3, 1, 2}, contents: []jobFile{{pos: 2, typ: GroupReport, xid: "x", malware: true}}, exclusions: imp.exclusions}
	gotSegment := segment{number: 5}
	require.True(t, gotSegment.decode(seg.encode()))
	assert.Equal(t, seg, gotSegment)

	p := progress{pieces: []piece{{part{1, 2}, 3}, {part{2, 9}, 0}}, files: true, refused: []int64{4}, outcome: someOutcome()}
	var gotProgress progress
	require.True(t, gotProgress.decode(p.encode()))
	assert.Equal(t, p, gotProgress)

	var c, got content
	c.add(inGroups, 0, []byte(`{"a":1}`))
	c.add(inIndicators, 1, []byte(`{}`))
	c.add(inIndicators, 5, []byte(`{"b":2}`))
	c.add(inAssociations, ^5, []byte(`{"c":3}`))
	require.True(t, got.readPayload(bytes.Join(c.payloadParts(), nil)))
	assert.Equal(t, c, got)
}

func TestARecordStandsForItselfOnly(t *testing.T) {
	t.Parallel()
	text := bytes.Join(sealRecord("segment-00000001", [][]byte{[]byte("ab"), []byte("cd")}), nil)
	got, err := openRecord("segment-00000001", text)
	require.NoError(t, err)
	assert.Equal(t, "abcd", string(got))
	_, err = openRecord("segment-00000002", text)
	require.ErrorIs(t, err, ErrSpoolRecord, "in the place of another")
	for n := range text {
		_, err := openRecord("segment-00000001", text[:n])
		require.ErrorIs(t, err, ErrSpoolRecord, "torn after %d bytes", n)
		for bit := range 8 {
			flipped := bytes.Clone(text)
			flipped[n] ^= 1 << bit
			_, err := openRecord("segment-00000001", flipped)
			require.ErrorIs(t, err, ErrSpoolRecord, "bit %d of byte %d", bit, n)
		}
	}
	later := bytes.Clone(text)
	later[len(spoolFormat)-1] = '2'
	_, err = openRecord("segment-00000001", later)
	require.ErrorContains(t, err, "another version")
}

func FuzzSpoolRecords(f *testing.F) {
	imp := importRecord{run: "today", finished: true, outcome: someOutcome()}
	f.Add(imp.encode())
	seg := segment{job: true, groups: []string{"x"}, held: [][]byte{[]byte("abc")}, released: []int64{1, 2}, contents: []jobFile{{pos: 1, typ: GroupReport, xid: "x"}}}
	f.Add(seg.encode())
	p := progress{pieces: []piece{{part{1, 2}, 3}}, outcome: someOutcome()}
	f.Add(p.encode())
	var c content
	c.add(inGroups, 0, []byte(`{"a":1}`))
	c.add(inIndicators, 1, []byte(`{}`))
	f.Add(bytes.Join(c.payloadParts(), nil))
	f.Add(bytes.Join(sealRecord("import", [][]byte{imp.encode()}), nil))
	f.Fuzz(func(t *testing.T, text []byte) {
		// What is read is written as something that reads as the same: numbers can be written in
		// more than one way, so that the texts may differ.
		var imp, imp2 importRecord
		if imp.decode(text) {
			require.True(t, imp2.decode(imp.encode()))
			assert.Equal(t, imp, imp2)
		}
		var seg, seg2 segment
		if seg.decode(text) {
			require.True(t, seg2.decode(seg.encode()))
			assert.Equal(t, seg, seg2)
		}
		var p, p2 progress
		if p.decode(text) {
			require.True(t, p2.decode(p.encode()))
			assert.Equal(t, p, p2)
			if fits(p.pieces, 10) {
				for _, pc := range p.pieces {
					require.LessOrEqual(t, pc.to, 10)
				}
			}
		}
		var c, c2 content
		if c.readPayload(text) {
			for pos := range c.count() {
				_, item, _ := c.item(pos)
				nameOf(item)
				linkKey(item)
			}
			_ = c.chunks(c.all(), BatchV2)
			require.True(t, c2.readPayload(bytes.Join(c.payloadParts(), nil)))
			assert.Equal(t, c, c2)
		}
		if body, err := openRecord("import", text); err == nil {
			again := bytes.Join(sealRecord("import", [][]byte{body}), nil)
			require.Equal(t, text, again)
		}
		if e, ok := readWaiting(text); ok {
			require.Equal(t, text, e.append(nil))
		}
	})
}
