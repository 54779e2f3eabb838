package threatconnect

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// WriteType selects what a batch job does with existing attributes, tags or security labels of an item.
type WriteType string

// The write types. Tags and security labels support only WriteAppend and WriteReplace. Their default is
// WriteAppend, which is always sent, because the default of the platform is to replace.
const (
	// WriteAppend adds the new values. The platform deduplicates tags and labels but not attributes, so a
	// daily import adds the same attribute 365 times a year.
	WriteAppend WriteType = "Append"
	// WriteReplace removes the existing values and adds the new ones. Each import also removes values that
	// analysts added by hand.
	WriteReplace WriteType = "Replace"
	// WriteSingleton replaces existing attributes of the same type as a new one and keeps the others. Older
	// instances and V1 do not support it.
	WriteSingleton WriteType = "Singleton"
	// WriteStatic keeps the existing attributes and ignores the new ones.
	WriteStatic WriteType = "Static"
)

// BatchAction selects what a batch job does with its items.
type BatchAction string

// The actions of batch jobs.
const (
	BatchCreate BatchAction = "Create" // create items, or update those that exist
	BatchDelete BatchAction = "Delete" // delete indicators by type and value, and groups by xid
)

// FileMergeMode selects what happens if a new file matches several existing files.
type FileMergeMode string

// The modes for files that match several existing files.
const (
	MergeFiles      FileMergeMode = "Merge"      // merge the existing files
	DistributeFiles FileMergeMode = "Distribute" // update each of them
)

// HashCollisionMode selects which hash wins if a new file contradicts an existing one.
type HashCollisionMode string

// The modes for conflicting hashes.
const (
	HashFavorIncoming  HashCollisionMode = "FavorIncoming"
	HashFavorExisting  HashCollisionMode = "FavorExisting"
	HashIgnoreIncoming HashCollisionMode = "IgnoreIncoming"
	HashIgnoreExisting HashCollisionMode = "IgnoreExisting"
	HashSplit          HashCollisionMode = "Split"
)

// BatchJob configures one job of [BatchService.Create] and [BatchService.CreateAndUpload]. Owner is required,
// and so is Attributes unless Action is BatchDelete. The zero value of every other field selects its default.
type BatchJob struct {
	Owner            string            // name of the owner; the client's default owner is not used
	Action           BatchAction       // empty means BatchCreate
	Attributes       WriteType         // required unless Action is BatchDelete; see WriteType
	Tags             WriteType         // WriteAppend or WriteReplace; empty means WriteAppend
	Labels           WriteType         // WriteAppend or WriteReplace; empty means WriteAppend
	HaltOnError      bool              // stop the job at the first item that the platform refuses
	FileMerge        FileMergeMode     // empty sends nothing; the platform's default is MergeFiles
	HashCollision    HashCollisionMode // empty sends nothing; the platform's default is HashFavorIncoming
	PlaybookTriggers *bool             // whether the job starts playbooks; nil sends nothing
	// V1 selects version 1 of the batch API, whose files are lists of indicators. It cannot be combined with
	// WriteSingleton, FileMerge, HashCollision and PlaybookTriggers. BatchWriter writes version 2.
	V1 bool
}

// BatchConfig configures a batch import. Owner is required, and so is Attributes unless Action is
// BatchDelete. The zero value of every other field selects its default.
//
// The functions may be called from several goroutines and must not call the writer. Each of them except
// OpenContent is called by one goroutine at a time.
type BatchConfig struct {
	Owner        string      // name of the owner; the client's default owner is not used
	Action       BatchAction // BatchCreate or BatchDelete; empty means BatchCreate
	Attributes   WriteType   // required unless Action is BatchDelete; see WriteType
	Tags, Labels WriteType   // WriteAppend or WriteReplace; empty means WriteAppend
	// HaltOnError ends the import at the first item that the platform refuses. Items imported before stay on
	// the platform. The spool is emptied, so the next import starts from the first item and WriteAppend
	// repeats attributes.
	HaltOnError      bool
	FileMerge        FileMergeMode     // empty sends nothing; the platform's default is MergeFiles
	HashCollision    HashCollisionMode // empty sends nothing; the platform's default is HashFavorIncoming
	PlaybookTriggers *bool             // whether the job starts playbooks; nil sends nothing

	// MaxItems is the largest number of items in a job, from 1 to 25,000; 0 means 25,000. MaxBytes is the
	// largest size of its file, from 1 KiB to 1 GiB; 0 means 2,000,000 bytes, about 5,000 indicators. A
	// single item may be larger.
	MaxItems, MaxBytes int
	// FlushInterval is the longest time that an item waits for its job to fill up before the job is sent. 0
	// means no limit. Set it for streams that do not end.
	FlushInterval time.Duration
	// Concurrency is the number of jobs in progress, from 1 to 16. 0 means 1, which keeps the order of all
	// items. Up to Concurrency+1 jobs are in memory.
	Concurrency int
	RetryFor    time.Duration // longest outage of the platform to retry through; 0 means 10 minutes
	WaitFor     time.Duration // longest time from the upload of a job to its end; 0 means 2 hours
	// KnownGroup, if not nil, reports whether the owner already has a group, so that items can refer to it
	// directly. References to other groups that are not added become associations at the end of the import,
	// which require platform version 7.8.2.
	KnownGroup func(xid string) bool

	// Spool, if not nil, stores the import with its items, so that it survives the process and the machine.
	Spool Spool
	// Run names the import in the spool, for example by the date of a daily feed. It is required with a
	// Spool. A completed import is not repeated under its name.
	Run string
	// OpenContent opens content that an earlier process added and did not upload. If it is nil, that content
	// fails with an error.
	OpenContent func(t GroupType, xid string) (Content, error)

	// Exclude, if not nil, reports whether to leave out an indicator, and why; see BatchExclusion. It gets
	// the type and the canonical summary of the indicator.
	Exclude func(typ, value string) (reason string, exclude bool)
	// OnEvent, if not nil, is called with the progress of the import and with each exclusion.
	OnEvent func(BatchEvent)
	// OnError, if not nil, is called with each error of an item. Beyond 1,000 errors of a job, or 8 times its
	// number of items if that is more, it gets only the first error of each item, and a last error with the
	// number of the others.
	OnError func(BatchItemError)
}

const (
	maxBatchItems     = 25_000
	defaultBatchBytes = 2_000_000
	minBatchBytes     = 1 << 10
	maxBatchBytes     = 1 << 30
	maxConcurrency    = 16
	defaultRetryFor   = 10 * time.Minute
	defaultWaitFor    = 2 * time.Hour
)

// job returns the configuration of each job of an import.
func (c *BatchConfig) job() BatchJob {
	return BatchJob{Owner: c.Owner, Action: c.Action, Attributes: c.Attributes, Tags: c.Tags, Labels: c.Labels, HaltOnError: c.HaltOnError,
		FileMerge: c.FileMerge, HashCollision: c.HashCollision, PlaybookTriggers: c.PlaybookTriggers}
}

func badBatch(field, rule, fix string) error {
	return &ValidationError{Field: "batch " + field, Rule: rule, Fix: fix}
}

// withDefaults fills in defaults and checks the configuration.
func (j BatchJob) withDefaults() (BatchJob, error) {
	j.Action = cmp.Or(j.Action, BatchCreate)
	j.Tags, j.Labels = cmp.Or(j.Tags, WriteAppend), cmp.Or(j.Labels, WriteAppend)
	if j.Action == BatchDelete {
		j.Attributes = cmp.Or(j.Attributes, WriteStatic) // the platform requires it but ignores its value
	}
	if j.Owner == "" {
		return j, badBatch("owner", "is missing", "set Owner; the client's default owner is not used for imports")
	}
	if j.Attributes == "" {
		return j, badBatch("attribute write type", "is missing", "choose one of the WriteType values; their documentation describes the effect on existing attributes")
	}
	attributes := []WriteType{WriteAppend, WriteReplace, WriteSingleton, WriteStatic}
	if j.V1 {
		attributes = []WriteType{WriteAppend, WriteReplace, WriteStatic}
	}
	err := firstError(
		checkVerbatim("batch owner", j.Owner),
		oneOf("batch action", j.Action, []BatchAction{BatchCreate, BatchDelete}),
		oneOf("batch attribute write type", j.Attributes, attributes),
		oneOf("batch tag write type", j.Tags, []WriteType{WriteAppend, WriteReplace}),
		oneOf("batch label write type", j.Labels, []WriteType{WriteAppend, WriteReplace}),
		oneOf("batch file merge mode", j.FileMerge, []FileMergeMode{MergeFiles, DistributeFiles}),
		oneOf("batch hash collision mode", j.HashCollision,
			[]HashCollisionMode{HashFavorIncoming, HashFavorExisting, HashIgnoreIncoming, HashIgnoreExisting, HashSplit}),
	)
	if err == nil && j.V1 && (j.FileMerge != "" || j.HashCollision != "" || j.PlaybookTriggers != nil) {
		err = badBatch("version", "cannot be 1 with a file merge mode, a hash collision mode or playbook triggers", "leave V1 false")
	}
	return j, err
}

// withDefaults fills in defaults and checks the configuration.
func (c BatchConfig) withDefaults() (BatchConfig, BatchJob, error) {
	c.MaxItems, c.MaxBytes = cmp.Or(c.MaxItems, maxBatchItems), cmp.Or(c.MaxBytes, defaultBatchBytes)
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.RetryFor, c.WaitFor = cmp.Or(c.RetryFor, defaultRetryFor), cmp.Or(c.WaitFor, defaultWaitFor)
	job, err := c.job().withDefaults()
	c.Action = job.Action
	if err == nil {
		err = checkText("batch run", c.Run)
	}
	switch {
	case err != nil:
	case c.MaxItems < 1 || c.MaxItems > maxBatchItems:
		err = badBatch("items", "must be from 1 to 25,000, or 0 for the default", "set MaxItems")
	case c.MaxBytes < minBatchBytes || c.MaxBytes > maxBatchBytes:
		err = badBatch("bytes", "must be from 1,024 to 1,073,741,824, or 0 for the default", "set MaxBytes")
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		err = badBatch("concurrency", "must be from 1 to "+strconv.Itoa(maxConcurrency)+", or 0 for the default", "set Concurrency")
	case c.Spool == nil && c.Run != "":
		err = badBatch("run", "is set without a spool", "set Spool, or leave Run empty")
	case c.Spool != nil && c.Run == "":
		err = badBatch("run", "is missing", "set Run to a name of this import, such as the date of a daily feed, so that an import that has ended is not repeated")
	case c.RetryFor < 0 || c.WaitFor < 0 || c.FlushInterval < 0:
		err = badBatch("waits", "contain a negative duration", "leave RetryFor, WaitFor and FlushInterval 0 for their defaults")
	}
	return c, job, err
}

// settings returns the fields that affect items. They must not change when an import is resumed.
func (j *BatchJob) settings() string {
	return strings.Join([]string{j.Owner, string(j.Action), string(j.Attributes), string(j.Tags), string(j.Labels)}, "\x00")
}

// body returns the JSON of the request that creates the job.
func (j *BatchJob) body() []byte {
	var w wire.Writer
	w.BeginObject()
	if j.V1 {
		text(&w, "version", "V1")
	} else {
		text(&w, "version", "V2") // the platform's default is V1
	}
	text(&w, "owner", j.Owner)
	text(&w, "action", string(j.Action))
	w.Key("haltOnError")
	w.Bool(j.HaltOnError)
	text(&w, "attributeWriteType", string(j.Attributes))
	if !j.V1 {
		text(&w, "tagWriteType", string(j.Tags))
		text(&w, "securityLabelWriteType", string(j.Labels))
		text(&w, "fileMergeMode", string(j.FileMerge))
		text(&w, "hashCollisionMode", string(j.HashCollision))
		if j.PlaybookTriggers != nil {
			w.Key("playbookTriggersEnabled")
			w.BoolText(*j.PlaybookTriggers)
		}
	}
	w.EndObject()
	return w.Buf
}
