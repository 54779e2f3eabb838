package item

// Verdict is the outcome of one item of a file.
type Verdict uint8

// The verdicts.
const (
	// Unknown means that the item may or may not be on the platform.
	Unknown Verdict = iota
	Succeeded
	Failed
	Unprocessed // the platform did not process it
)

// Counts counts the outcomes of items of one kind.
type Counts struct {
	Succeeded   int64 `json:",omitzero"`
	Failed      int64 `json:",omitzero"`
	Unprocessed int64 `json:",omitzero"`
	Unknown     int64 `json:",omitzero"`
}

// Plus adds d to c.
func (c *Counts) Plus(d Counts) {
	c.Succeeded += d.Succeeded
	c.Failed += d.Failed
	c.Unprocessed += d.Unprocessed
	c.Unknown += d.Unknown
}

// Add counts n items with a verdict.
func (c *Counts) Add(v Verdict, n int64) {
	switch v {
	case Succeeded:
		c.Succeeded += n
	case Failed:
		c.Failed += n
	case Unprocessed:
		c.Unprocessed += n
	default:
		c.Unknown += n
	}
}

// Total returns the number of items.
func (c *Counts) Total() int64 { return c.Succeeded + c.Failed + c.Unprocessed + c.Unknown }

// Failure is an error of an item.
type Failure struct {
	Seq         int64  // number of items added before the item; -1 if the item is unknown
	Type        string `json:",omitzero"`
	Name        string `json:",omitzero"`
	Code        string `json:",omitzero"`
	Severity    string `json:",omitzero"`
	Reason      string `json:",omitzero"` // message for people
	Cause       string `json:",omitzero"` // exception that caused it
	Job         int64  `json:",omitzero"`
	Unprocessed bool   `json:",omitzero"`
	Content     bool   `json:",omitzero"` // the error concerns the content of a group
	Err         error  `json:"-"`         // why the item was not sent; nil if the platform refused it

	Problem *Problem `json:",omitempty"` // form of Err in a record
}

// Problem is the stored form of an error: the fields of a validation error, or the text of another one.
type Problem struct {
	Field string `json:",omitzero"`
	Rule  string `json:",omitzero"`
	Fix   string `json:",omitzero"`
	Text  string `json:",omitzero"`
}

// MaxFailures is the largest number of failures in an Outcome.
const MaxFailures = 1000

// Outcome counts the outcomes of items of one file or of all files.
type Outcome struct {
	Kinds    [Kinds]Counts
	Contents Counts
	Jobs     int64     `json:",omitzero"` // jobs that were uploaded
	Bytes    int64     `json:",omitzero"` // total size of their files
	Failures []Failure `json:",omitempty"`
	More     int64     `json:",omitzero"`  // number of failures beyond Failures
	Lost     []int64   `json:",omitempty"` // IDs of jobs with an unknown outcome
}

// Plus adds d to o.
func (o *Outcome) Plus(d *Outcome) {
	for k := range o.Kinds {
		o.Kinds[k].Plus(d.Kinds[k])
	}
	o.Contents.Plus(d.Contents)
	o.Jobs += d.Jobs
	o.Bytes += d.Bytes
	o.More += d.More
	o.Lost = append(o.Lost, d.Lost...)
	for i := range d.Failures {
		o.Note(d.Failures[i])
	}
}

// Note adds a failure. Beyond MaxFailures, it only counts it.
func (o *Outcome) Note(f Failure) {
	if len(o.Failures) >= MaxFailures {
		o.More++
		return
	}
	o.Failures = append(o.Failures, f)
}

// Total returns the counts of all items, without links.
func (o *Outcome) Total() Counts {
	t := o.Kinds[Indicator]
	t.Plus(o.Kinds[Group])
	t.Plus(o.Kinds[Association])
	return t
}
