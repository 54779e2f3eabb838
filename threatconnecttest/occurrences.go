package threatconnecttest

import "net/http"

// file is the file that the path of an occurrence names.
func (c *call) file() (*indicator, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, bad
	}
	if c.req.Method != http.MethodGet && o.ReadOnly {
		return nil, denied()
	}
	t := c.typeByName("File")
	value, ok := t.readSegment(c.params.get("indicator"))
	if !ok {
		return nil, missing()
	}
	if i := o.find(t, t.key(value)); i != nil {
		return i, nil
	}
	return nil, missing()
}

func (c *call) occurrence() (*indicator, *occurrence, *answer) {
	i, bad := c.file()
	if bad != nil {
		return nil, nil, bad
	}
	if i.rare != nil {
		for _, o := range i.rare.occurrences {
			if o.id == c.id("fileOccurrenceId") {
				return i, o, nil
			}
		}
	}
	return nil, nil, missing()
}

func (o *occurrence) write(w *jsonWriter) {
	w.id("id", o.id)
	w.some("fileName", o.FileName)
	w.some("path", o.Path)
	if !o.Date.IsZero() {
		w.date("date", o.Date.Unix())
	}
}

// read changes an occurrence by a body and reports whether that leaves one.
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

func (c *call) listOccurrences() *answer {
	i, bad := c.file()
	if bad != nil {
		return bad
	}
	var all []*occurrence
	if i.rare != nil {
		all = i.rare.occurrences
	}
	return c.page("fileOccurrence", false, func(take func() *jsonWriter) {
		for _, o := range all {
			if w := take(); w != nil {
				w.open()
				o.write(w)
				w.close()
			}
		}
	})
}

func (c *call) getOccurrence() *answer {
	_, o, bad := c.occurrence()
	if bad != nil {
		return bad
	}
	return c.one(http.StatusOK, "fileOccurrence", o.write)
}

func (c *call) createOccurrence() *answer {
	i, bad := c.file()
	if bad != nil {
		return bad
	}
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

func (c *call) updateOccurrence() *answer {
	_, o, bad := c.occurrence()
	if bad != nil {
		return bad
	}
	changed := o.Occurrence
	f, ok := readFields(c.body)
	if !ok || !changed.read(f) {
		return fail(http.StatusBadRequest, msgMalformed)
	}
	o.Occurrence = changed
	return c.one(http.StatusOK, "fileOccurrence", o.write)
}

func (c *call) deleteOccurrence() *answer {
	i, o, bad := c.occurrence()
	if bad != nil {
		return bad
	}
	i.rare.occurrences = remove(i.rare.occurrences, o)
	return success(http.StatusOK)
}
