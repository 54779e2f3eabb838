package threatconnecttest

import (
	"net/http"
	"slices"
)

// occurrence returns the occurrence in the path.
func (c *call) occurrence(i *indicator) *occurrence {
	id := c.id("fileOccurrenceId")
	return first(i.extra().occurrences, func(o *occurrence) bool { return o.id == id })
}

func (o *occurrence) write(w *jsonWriter) {
	w.id("id", o.id)
	w.some("fileName", o.FileName)
	w.some("path", o.Path)
	if !o.Date.IsZero() {
		w.date("date", o.Date.Unix())
	}
}

// read changes an occurrence and reports whether the result is valid.
func (o *Occurrence) read(f fields) bool {
	if s, ok := f.text("fileName"); ok {
		o.FileName = s
	}
	if s, ok := f.text("path"); ok {
		o.Path = s
	}
	if s, ok := f.text("date"); ok {
		at, ok := parseDate(s)
		if !ok {
			return false
		}
		o.Date = at
	}
	return *o != Occurrence{}
}

func occurrenceRoutes() []route {
	const all = "/v2/indicators/files/{indicator}/fileOccurrences"
	file := indicatorOfType("File")
	on := func(do func(*call, *indicator, *occurrence) *answer) func(*call) *answer {
		return with(file, func(c *call, i *indicator) *answer {
			o := c.occurrence(i)
			if o == nil {
				return missing()
			}
			return do(c, i, o)
		})
	}
	return []route{
		{method: "GET", pattern: all, handle: with(file, (*call).listOccurrences)},
		{method: "POST", pattern: all, handle: with(file, (*call).createOccurrence)},
		{method: "GET", pattern: all + "/{fileOccurrenceId}", handle: on((*call).getOccurrence)},
		{method: "PUT", pattern: all + "/{fileOccurrenceId}", handle: on((*call).updateOccurrence)},
		{method: "DELETE", pattern: all + "/{fileOccurrenceId}", handle: on((*call).deleteOccurrence)},
	}
}

func (c *call) listOccurrences(i *indicator) *answer {
	return uncounted(c, "fileOccurrence", slices.Values(i.extra().occurrences), (*occurrence).write)
}

func (c *call) getOccurrence(_ *indicator, o *occurrence) *answer {
	return c.one(http.StatusOK, "fileOccurrence", o.write)
}

func (c *call) createOccurrence(i *indicator) *answer {
	o := &occurrence{}
	f, ok := readFields(c.body)
	if !ok || !o.read(f) {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	o.id = c.nextID()
	d := i.details()
	d.occurrences = append(d.occurrences, o)
	return c.one(http.StatusCreated, "fileOccurrence", o.write)
}

func (c *call) updateOccurrence(_ *indicator, o *occurrence) *answer {
	changed := o.Occurrence
	f, ok := readFields(c.body)
	if !ok || !changed.read(f) {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	o.Occurrence = changed
	return c.one(http.StatusOK, "fileOccurrence", o.write)
}

func (c *call) deleteOccurrence(i *indicator, o *occurrence) *answer {
	i.details().occurrences = remove(i.details().occurrences, o)
	return success(http.StatusOK)
}
