package item

// Verdict says what has become of one item of a file.
type Verdict uint8

// The verdicts.
const (
	// Unknown: whether the item is on the platform is not known.
	Unknown Verdict = iota
	Succeeded
	Failed
	Unprocessed // the platform has not looked at it
)

// Counts counts items of one kind by what has become of them.
type Counts struct {
	Succeeded   int64 `json:",omitzero"`
	Failed      int64 `json:",omitzero"`
	Unprocessed int64 `json:",omitzero"`
	Unknown     int64 `json:",omitzero"`
}

// Plus adds other counts.
func (c *Counts) Plus(d Counts) {
	c.Succeeded += d.Succeeded
	c.Failed += d.Failed
	c.Unprocessed += d.Unprocessed
	c.Unknown += d.Unknown
}

// Add counts n items.
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

// Failure is an error of the import of an item.
type Failure struct {
	Seq         int64  // how many items were added before the item; -1 if the item is not known
	Type        string `json:",omitzero"`
	Name        string `json:",omitzero"`
	Code        string `json:",omitzero"`
	Severity    string `json:",omitzero"`
	Reason      string `json:",omitzero"` // the words for people
	Cause       string `json:",omitzero"` // the exception behind it
	Job         int64  `json:",omitzero"`
	Unprocessed bool   `json:",omitzero"`
	Content     bool   `json:",omitzero"` // the error is about the content of a group
	Err         error  `json:"-"`         // why the item was not sent; nil if the platform refused it

	Problem *Problem `json:",omitempty"` // what a journal keeps of Err
}

// Problem is what is kept of an error: the fields of one about a rule, or its text.
type Problem struct {
	Field string `json:",omitzero"`
	Rule  string `json:",omitzero"`
	Fix   string `json:",omitzero"`
	Text  string `json:",omitzero"`
}

// MaxFailures is how many failures an Outcome keeps.
const MaxFailures = 1000

// Outcome says what has become of the items of a file, or of all files.
type Outcome struct {
	Kinds    [Kinds]Counts
	Contents Counts
	Jobs     int64     `json:",omitzero"` // jobs that were uploaded
	Bytes    int64     `json:",omitzero"` // of their files
	Failures []Failure `json:",omitempty"`
	More     int64     `json:",omitzero"`  // how many failures there are beyond those
	Lost     []int64   `json:",omitempty"` // ids of jobs whose end was not seen
}

// Plus adds another outcome.
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

// Note keeps a failure while there are few.
func (o *Outcome) Note(f Failure) {
	if len(o.Failures) >= MaxFailures {
		o.More++
		return
	}
	o.Failures = append(o.Failures, f)
}

// Total returns the counts of all items. Links are not items.
func (o *Outcome) Total() Counts {
	t := o.Kinds[Indicator]
	t.Plus(o.Kinds[Group])
	t.Plus(o.Kinds[Association])
	return t
}
