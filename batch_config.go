package threatconnect

import (
	"strconv"
	"time"

	"github.com/threatconnect-go/threatconnect/internal/wire"
)

// WriteType says what a batch job does with attributes, tags or security labels that an item has
// already.
type WriteType string

// The write types. Tags and security labels know WriteAppend and WriteReplace only.
const (
	// WriteAppend adds what comes in. Attributes are not compared: every run adds them again, so
	// that an import that is repeated daily gives an attribute 365 times a year. Tags and labels
	// exist once, however often they are added.
	WriteAppend WriteType = "Append"
	// WriteReplace removes what is there and adds what comes in. What analysts added by hand to an
	// item of the import is gone after every run.
	WriteReplace WriteType = "Replace"
	// WriteSingleton replaces the attributes of the types that come in and leaves those of other
	// types alone. Older instances and V1 do not know it.
	WriteSingleton WriteType = "Singleton"
	// WriteStatic leaves the attributes that are there alone and ignores those that come in.
	WriteStatic WriteType = "Static"
)

// BatchAction says what a batch job does with its items.
type BatchAction string

// The actions.
const (
	BatchCreate BatchAction = "Create" // create what is not there, update what is
	BatchDelete BatchAction = "Delete" // delete what is there: indicators by type and value, groups by xid
)

// BatchVersion is the format of a batch file.
type BatchVersion string

// The formats.
const (
	// BatchV1 takes indicators with rating, confidence, description, source, tags, attributes and
	// groups only, and names groups by their ids, written in digits in GroupXIDs. What it cannot
	// carry is refused.
	BatchV1 BatchVersion = "V1"
	// BatchV2 takes groups, indicators and associations.
	BatchV2 BatchVersion = "V2"
)

// FileMergeMode says what happens to several files that one incoming file matches.
type FileMergeMode string

// The modes.
const (
	MergeFiles      FileMergeMode = "Merge"      // they become one
	DistributeFiles FileMergeMode = "Distribute" // each of them is updated
)

// HashCollisionMode says which hash wins when an incoming file contradicts one that is there.
type HashCollisionMode string

// The modes.
const (
	HashFavorIncoming  HashCollisionMode = "FavorIncoming"
	HashFavorExisting  HashCollisionMode = "FavorExisting"
	HashIgnoreIncoming HashCollisionMode = "IgnoreIncoming"
	HashIgnoreExisting HashCollisionMode = "IgnoreExisting"
	HashSplit          HashCollisionMode = "Split"
)

// BatchConfig configures a batch import. Owner and, to create, Attributes are required; the
// zero value of every other field stands for its default.
type BatchConfig struct {
	// Owner is the name of the owner that everything goes into. The client's default owner is not
	// used: an import into the wrong owner is hard to undo.
	Owner string
	// Action is BatchCreate or BatchDelete; empty means BatchCreate.
	Action BatchAction
	// Attributes says what happens to attributes. It has no default for BatchCreate, because each
	// type does some harm: WriteAppend duplicates attributes on every run, WriteReplace wipes
	// analysts' work, WriteSingleton needs a newer instance, WriteStatic brings no new values.
	Attributes WriteType
	// Tags is WriteAppend or WriteReplace; empty means WriteAppend. It is always sent, because the
	// platform's own default replaces.
	Tags WriteType
	// Labels is WriteAppend or WriteReplace for security labels; empty means WriteAppend. It is
	// always sent, because the platform's own default replaces.
	Labels WriteType
	// HaltOnError ends the import at the first item that the platform refuses. What comes after it
	// is reported as not processed.
	HaltOnError bool
	// FileMerge is sent when it is set; the platform's default is MergeFiles.
	FileMerge FileMergeMode
	// HashCollision is sent when it is set; the platform's default is HashFavorIncoming.
	HashCollision HashCollisionMode
	// PlaybookTriggers says whether the import triggers playbooks. Nil sends nothing.
	PlaybookTriggers *bool
	// Version is the format of the file; empty means BatchV2.
	Version BatchVersion

	// The fields from here on are for the BatchWriter.

	// MaxItems is the largest number of items in a job: 1 to 25,000, the platform's own cap; 0
	// means 25,000. A job that has MaxBytes is closed sooner.
	MaxItems int
	// MaxBytes is the size in bytes at which a job is closed: 1 KiB or more; 0 means 2,000,000, which
	// is about 5,000 indicators, the smallest limit of an instance that is documented, and keeps the
	// memory of a program that imports below 32 MiB. An instance that allows less is obeyed. A single
	// item may be larger.
	MaxBytes int
	// Concurrency is how many jobs are under way at the same time: 1 to 16; 0 means 1, which keeps
	// the order of all items. At most one encoded job more than that is in memory.
	Concurrency int
	// GroupsInOwner are xids of groups that are in the owner already. Indicators that refer to them
	// then carry the reference themselves; a reference to a group that neither stands here nor was
	// added before goes as an association at the end, which needs version 7.8.2 of the platform.
	GroupsInOwner []string
	// GroupsCarryIndicators lets groups carry the indicators that they list themselves, which every
	// version of the platform reads, in place of associations at the end, which need version 7.8.2. The
	// indicators must then be in the owner or be added before the group that lists them.
	GroupsCarryIndicators bool
	// RetryFor is the longest outage of the platform that the import waits for; 0 means 10 minutes. Each
	// response of the platform starts the time again.
	RetryFor time.Duration
	// WaitFor is how long one job may take from its upload to its end; 0 means 2 hours.
	WaitFor time.Duration
	// Spool keeps the import until it is done, so that [BatchService.Resume] and
	// [BatchService.Import] go on with it after the process or the machine has failed, without
	// losing or repeating an item. Nil keeps nothing. It holds the items as they are sent.
	Spool Spool
	// Run names the import that is in the spool: the date of a daily feed, say. An import with a name that
	// has come to its end is not done again under that name: Resume then returns a closed writer with its
	// outcome. One that HaltOnError has ended can be done again.
	// Without a name, an import that has ended leaves nothing in the spool, and the next one begins anew.
	Run string
	// OpenContent opens the content of a document or report that a process before has added and not
	// uploaded. Nil means that such contents are errors.
	OpenContent func(t GroupType, xid string) (Content, error)
	// Exclude, if not nil, is called for each indicator that is added, that is an end of an association,
	// or that a group lists, with its type and canonical summary. If it returns true, the indicator is not
	// imported (or not deleted), an association with it is left out, and a group is imported without it.
	// Groups are never excluded, and an end that is named by its id is not checked. Exclusions are
	// not errors: BatchStats counts them, by reason as well, and OnEvent gets each one as BatchExcluded.
	//
	// A file can be added with several hashes and be referred to by one of them: exclude it under each.
	// Exclude is called by Add, one call at a time; a panic in it continues in the caller of Add. A resumed
	// import keeps the decisions of the earlier process; with GroupsCarryIndicators it also calls Exclude
	// for the items of that process. A reason is counted and shown with the counts, so it should name the rule
	// and not the value.
	Exclude func(typ, value string) (reason string, exclude bool)
	// Expect is how many items will be added, for the estimate in events; 0 means that it is not
	// known.
	Expect int64
	// OnEvent, if not nil, is called with the progress of the import and with each exclusion, from several
	// goroutines, one call at a time. It must not call the writer.
	OnEvent func(BatchEvent)
	// OnError, if not nil, is called for each item that failed, as soon as it is known and without a limit. It
	// is called like OnEvent.
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

// withDefaults fills in what is not set and refuses what makes no sense.
func (c BatchConfig) withDefaults() (BatchConfig, error) {
	fill := func(have *int, to int) {
		if *have == 0 {
			*have = to
		}
	}
	if c.Action == "" {
		c.Action = BatchCreate
	}
	if c.Version == "" {
		c.Version = BatchV2
	}
	if c.Tags == "" {
		c.Tags = WriteAppend
	}
	if c.Labels == "" {
		c.Labels = WriteAppend
	}
	if c.Attributes == "" && c.Action == BatchDelete {
		c.Attributes = WriteStatic // asked for by the platform and without meaning here
	}
	fill(&c.MaxItems, maxBatchItems)
	fill(&c.MaxBytes, defaultBatchBytes)
	fill(&c.Concurrency, 1)
	if c.RetryFor == 0 {
		c.RetryFor = defaultRetryFor
	}
	if c.WaitFor == 0 {
		c.WaitFor = defaultWaitFor
	}
	return c, c.check()
}

func (c *BatchConfig) check() error {
	bad := func(field, rule, fix string) error {
		return &ValidationError{Field: "batch " + field, Rule: rule, Fix: fix}
	}
	if c.Owner == "" {
		return bad("owner", "is missing", "set Owner; the client's default owner is not used for imports")
	}
	if c.Attributes == "" {
		return bad("attribute write type", "is missing", "choose one of the WriteType values; their comments say what each does to what is there")
	}
	attributes := []WriteType{WriteAppend, WriteReplace, WriteSingleton, WriteStatic}
	if c.Version == BatchV1 {
		attributes = []WriteType{WriteAppend, WriteReplace, WriteStatic}
	}
	err := firstError(
		checkVerbatim("batch owner", c.Owner),
		checkText("batch run", c.Run),
		oneOf("batch action", c.Action, []BatchAction{BatchCreate, BatchDelete}),
		oneOf("batch version", c.Version, []BatchVersion{BatchV1, BatchV2}),
		oneOf("batch attribute write type", c.Attributes, attributes),
		oneOf("batch tag write type", c.Tags, []WriteType{WriteAppend, WriteReplace}),
		oneOf("batch label write type", c.Labels, []WriteType{WriteAppend, WriteReplace}),
		oneOf("batch file merge mode", c.FileMerge, []FileMergeMode{MergeFiles, DistributeFiles}),
		oneOf("batch hash collision mode", c.HashCollision,
			[]HashCollisionMode{HashFavorIncoming, HashFavorExisting, HashIgnoreIncoming, HashIgnoreExisting, HashSplit}),
	)
	switch {
	case err != nil:
		return err
	case c.Version == BatchV1 && (c.FileMerge != "" || c.HashCollision != "" || c.PlaybookTriggers != nil):
		return bad("version", "cannot be V1 with a file merge mode, a hash collision mode or playbook triggers", "use BatchV2")
	case c.MaxItems < 1 || c.MaxItems > maxBatchItems:
		return bad("items", "must be from 1 to 25,000, or 0 for the default", "set MaxItems")
	case c.MaxBytes < minBatchBytes || c.MaxBytes > maxBatchBytes:
		return bad("bytes", "must be from 1,024 to 1,073,741,824, or 0 for the default", "set MaxBytes")
	case c.Concurrency < 1 || c.Concurrency > maxConcurrency:
		return bad("concurrency", "must be from 1 to "+strconv.Itoa(maxConcurrency)+", or 0 for the default", "set Concurrency")
	case c.Spool == nil && c.Run != "":
		return bad("run", "is set without a spool", "set Spool, or leave Run empty")
	case c.Expect < 0:
		return bad("expected items", "are negative", "leave Expect 0 when the number is not known")
	case c.RetryFor < 0 || c.WaitFor < 0:
		return bad("waits", "hold a negative duration", "leave RetryFor and WaitFor 0 for their defaults")
	}
	return nil
}

// body writes the configuration as the platform wants it.
func (c *BatchConfig) body() []byte {
	var w wire.Writer
	w.BeginObject()
	text(&w, "version", string(c.Version))
	text(&w, "owner", c.Owner)
	text(&w, "action", string(c.Action))
	w.Key("haltOnError")
	w.Bool(c.HaltOnError)
	text(&w, "attributeWriteType", string(c.Attributes))
	if c.Version == BatchV2 {
		text(&w, "tagWriteType", string(c.Tags))
		text(&w, "securityLabelWriteType", string(c.Labels))
		text(&w, "fileMergeMode", string(c.FileMerge))
		text(&w, "hashCollisionMode", string(c.HashCollision))
		if c.PlaybookTriggers != nil {
			w.Key("playbookTriggersEnabled")
			w.BoolText(*c.PlaybookTriggers)
		}
	}
	w.EndObject()
	return w.Buf
}
