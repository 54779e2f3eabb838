package threatconnect

// mergedContents keeps what cannot be written to a file while items are merged: the contents of
// documents and reports, and items that cannot be written at all. Of contents it keeps how to open
// them, which is as much for each as for one.
type mergedContents struct {
	contents map[contentOwner]Content
	odd      map[int64]BatchItem // by their place; the writer refuses them
}

// contentOwner is a group that has a content.
type contentOwner struct {
	typ GroupType
	xid string
}

func newMergedContents() mergedContents {
	return mergedContents{map[contentOwner]Content{}, map[int64]BatchItem{}}
}

// take returns the group of an item that has a content, after it has kept that. Any other item is
// returned as it is.
func (c *mergedContents) take(item BatchItem) BatchItem {
	g, ok := item.(*GroupContent)
	if !ok || g == nil || g.check() != nil {
		return item
	}
	c.contents[contentOwner{g.Group.Type(), g.Group.Meta().XID}] = g.Content
	return g.Group
}

// give returns the item at a place with the content that was taken from it, or from one that it was
// merged with.
func (c *mergedContents) give(item BatchItem, place int64) BatchItem {
	if odd, ok := c.odd[place]; ok {
		return odd
	}
	if g, ok := item.(Group); ok && len(c.contents) > 0 {
		if content, ok := c.contents[contentOwner{g.Type(), g.Meta().XID}]; ok {
			return &GroupContent{Group: g, Content: content}
		}
	}
	return item
}
