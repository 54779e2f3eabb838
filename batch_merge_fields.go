package threatconnect

// item writes or reads the fields of a batch item.
func (c *itemCodec) item(item BatchItem) {
	outer := c.begin()
	defer c.end(outer)
	switch item := item.(type) {
	case Indicator:
		v := item.values()
		for i := range v {
			codeField(c, &v[i])
		}
		if c.reading {
			item.setValues(v)
		}
		c.indicatorMeta(item.Meta())
		c.ownOfIndicator(item)
	case Group:
		c.groupMeta(item.Meta())
		c.ownOfGroup(item)
	case *Association:
		c.associationEnd(&item.From)
		c.associationEnd(&item.To)
		codeField(c, &item.Type)
	}
}

func (c *itemCodec) indicatorMeta(m *IndicatorMeta) {
	codeSet(c, &m.ID, (*itemCodec).int64)
	codeSet(c, &m.Owner, (*itemCodec).owner)
	c.when(&m.DateAdded)
	c.when(&m.LastModified)
	codePtr(c, &m.Rating, (*itemCodec).float64)
	codePtr(c, &m.Confidence, (*itemCodec).int)
	codePtr(c, &m.Active, (*itemCodec).bool)
	codePtr(c, &m.ActiveLocked, (*itemCodec).bool)
	codePtr(c, &m.Private, (*itemCodec).bool)
	codePtr(c, &m.ThreatAssessRating, (*itemCodec).float64)
	codePtr(c, &m.ThreatAssessConfidence, (*itemCodec).float64)
	codePtr(c, &m.ThreatAssessScore, (*itemCodec).int)
	codePtr(c, &m.CALScore, (*itemCodec).int)
	codePtr(c, &m.CALStatus, (*itemCodec).int)
	codeField(c, &m.Description)
	codeField(c, &m.Source)
	codeField(c, &m.WebLink)
	codeList(c, &m.Tags, (*itemCodec).tag)
	codeList(c, &m.Attributes, (*itemCodec).attribute)
	codeList(c, &m.SecurityLabels, (*itemCodec).label)
	codePtr(c, &m.Additional, func(c *itemCodec, a *IndicatorAdditional) {
		outer := c.begin()
		codeSet(c, &a.ObservationCount, (*itemCodec).int64)
		c.when(&a.LastObserved)
		codeSet(c, &a.FalsePositives, (*itemCodec).int64)
		c.when(&a.LastFalsePositive)
		codeSet(c, &a.CommunityOrSource, (*itemCodec).bool)
		codeList(c, &a.OtherOwners, (*itemCodec).owner)
		c.end(outer)
	})
	codeField(c, &m.XID)
	c.when(&m.FirstSeen)
	c.when(&m.LastSeen)
	c.when(&m.ExternalDateAdded)
	c.when(&m.ExternalDateExpires)
	c.when(&m.ExternalLastModified)
	codeList(c, &m.GroupXIDs, codeText[string])
	codeList(c, &m.Associated, (*itemCodec).reference)
	c.extra(&m.Extra)
}

func (c *itemCodec) groupMeta(m *GroupMeta) {
	codeSet(c, &m.ID, (*itemCodec).int64)
	codeField(c, &m.Name)
	codeSet(c, &m.Owner, (*itemCodec).owner)
	c.when(&m.DateAdded)
	c.when(&m.LastModified)
	codeField(c, &m.WebLink)
	codeField(c, &m.XID)
	codeList(c, &m.Tags, (*itemCodec).tag)
	codeList(c, &m.Attributes, (*itemCodec).attribute)
	codeList(c, &m.SecurityLabels, (*itemCodec).label)
	codePtr(c, &m.Additional, func(c *itemCodec, a *GroupAdditional) {
		outer := c.begin()
		codeField(c, &a.CreatedBy)
		codeSet(c, &a.CommunityOrSource, (*itemCodec).bool)
		codeList(c, &a.OtherOwners, (*itemCodec).owner)
		c.end(outer)
	})
	c.when(&m.FirstSeen)
	c.when(&m.LastSeen)
	c.when(&m.ExternalDateAdded)
	c.when(&m.ExternalDateExpires)
	c.when(&m.ExternalLastModified)
	codeList(c, &m.GroupXIDs, codeText[string])
	codeList(c, &m.Associated, (*itemCodec).reference)
	c.extra(&m.Extra)
}

// ownOfIndicator is what only some types of indicators have.
func (c *itemCodec) ownOfIndicator(ind Indicator) {
	switch i := ind.(type) {
	case *File:
		codePtr(c, &i.Size, (*itemCodec).int64)
		codeList(c, &i.Occurrences, func(c *itemCodec, o *FileOccurrence) {
			outer := c.begin()
			codeSet(c, &o.ID, (*itemCodec).int64)
			codeField(c, &o.FileName)
			codeField(c, &o.Path)
			c.when(&o.Date)
			c.end(outer)
		})
	case *Host:
		codePtr(c, &i.DNSActive, (*itemCodec).bool)
		codePtr(c, &i.WhoisActive, (*itemCodec).bool)
	case *CustomIndicator:
		codeField(c, &i.TypeName)
		c.raw(&i.Raw)
	}
}

// ownOfGroup is what only some types of groups have.
func (c *itemCodec) ownOfGroup(g Group) {
	switch g := g.(type) {
	case *Document:
		codeField(c, &g.FileName)
		codePtr(c, &g.Malware, (*itemCodec).bool)
		codeField(c, &g.Password)
		codeField(c, &g.Status)
		codeField(c, &g.FileType)
		c.summary(&g.AISummary)
	case *Email:
		codeField(c, &g.Subject)
		codeField(c, &g.Header)
		codeField(c, &g.Body)
		codeField(c, &g.From)
		codeField(c, &g.To)
		codePtr(c, &g.Score, (*itemCodec).float64)
	case *Event:
		c.when(&g.EventDate)
		codeField(c, &g.Status)
		codeField(c, &g.EventType)
		c.summary(&g.AISummary)
	case *Incident:
		c.when(&g.EventDate)
		codeField(c, &g.Status)
	case *Report:
		codeField(c, &g.FileName)
		c.when(&g.PublishDate)
		codeField(c, &g.Status)
		c.summary(&g.AISummary)
	case *Signature:
		codeField(c, &g.FileName)
		codeField(c, &g.FileType)
		codeField(c, &g.FileText)
	case *UnknownGroup:
		codeField(c, &g.TypeName)
		c.raw(&g.Raw)
	}
}

func (c *itemCodec) summary(s *AISummary) {
	codeField(c, &s.Insights)
	codeField(c, &s.AIProvider)
	c.when(&s.AILastRetrieval)
}

func (c *itemCodec) associationEnd(e *AssociationEnd) {
	codeSet(c, e, func(c *itemCodec, e *AssociationEnd) {
		outer := c.begin()
		codeField(c, &e.Indicator)
		codeField(c, &e.Summary)
		codeField(c, &e.GroupXID)
		codeField(c, &e.GroupType)
		codeSet(c, &e.ID, (*itemCodec).int64)
		c.end(outer)
	})
}

func (c *itemCodec) owner(o *Owner) {
	outer := c.begin()
	codeSet(c, &o.ID, (*itemCodec).int64)
	codeField(c, &o.Name)
	codeField(c, &o.Type)
	codeSet(c, &o.ItemID, (*itemCodec).int64)
	c.end(outer)
}

func (c *itemCodec) tag(t *Tag) {
	outer := c.begin()
	codeField(c, &t.Name)
	codeField(c, &t.Description)
	codeField(c, &t.WebLink)
	c.end(outer)
}

func (c *itemCodec) label(l *SecurityLabel) {
	outer := c.begin()
	codeField(c, &l.Name)
	codeField(c, &l.Description)
	codeField(c, &l.Color)
	c.when(&l.DateAdded)
	c.end(outer)
}

func (c *itemCodec) attribute(a *Attribute) {
	outer := c.begin()
	codeSet(c, &a.ID, (*itemCodec).int64)
	codeField(c, &a.Type)
	codeField(c, &a.Value)
	codePtr(c, &a.Displayed, (*itemCodec).bool)
	codeField(c, &a.Source)
	codePtr(c, &a.Pinned, (*itemCodec).bool)
	c.when(&a.DateAdded)
	c.when(&a.LastModified)
	codeField(c, &a.XID)
	codeList(c, &a.SecurityLabels, (*itemCodec).label)
	c.end(outer)
}

func (c *itemCodec) reference(r *IndicatorRef) {
	outer := c.begin()
	codeField(c, &r.Type)
	codeField(c, &r.Value)
	codeField(c, &r.Owner)
	c.bool(&r.asRead)
	c.end(outer)
}
