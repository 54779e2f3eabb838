package threatconnecttest

import "net/http"

func labelRoutes() []route {
	const one = "/v2/securityLabels/{securityLabelName}"
	routes := []route{
		{method: "GET", pattern: "/v2/securityLabels", handle: (*call).listLabels},
		{method: "GET", pattern: one, handle: with((*call).label, (*call).getLabel)},
		{method: "DELETE", pattern: one, handle: with((*call).label, (*call).deleteLabel)},
		{method: "GET", pattern: one + "/indicators/{indicatorType}/{indicator}", handle: with((*call).label, (*call).getLabeledIndicator)},
	}
	routes = append(routes, circleRoutes(one, circleNames{"groupType", "groupId", "indicatorType", "indicator"}, (*call).labelCircle)...)
	return append(routes, peopleRoutes(one, "taskId", "victimId", (*call).labelCircle)...)
}

// label returns the label in the path, in the call's owner.
func (c *call) label() *SecurityLabel { return c.owner.label(c.params.get("securityLabelName")) }

func (c *call) labelCircle() *circle {
	l := c.label()
	if l == nil {
		return nil
	}
	return &circle{owner: c.owner, has: l.isOn}
}

func (c *call) listLabels() *answer {
	want, bad := c.filters(filterFields{"name": {filterText, "=^"}})
	if bad != nil {
		return bad
	}
	all := where(c.owner.labels, func(l *SecurityLabel) bool { return want.match(func(string) any { return l.Name }) })
	return pageOf(c, "securityLabel", all, (*SecurityLabel).write)
}

func (c *call) getLabel(l *SecurityLabel) *answer {
	return c.one(http.StatusOK, "securityLabel", l.write)
}

func (c *call) deleteLabel(l *SecurityLabel) *answer {
	c.dropLabel(c.owner, l)
	return success(http.StatusOK)
}

// dropLabel removes a label from all items and from its owner.
func (w *world) dropLabel(o *owner, l *SecurityLabel) {
	w.eachMetadata(o, func(m *metadata) {
		m.labels = remove(m.labels, l)
		for _, a := range m.attributes {
			a.labels = remove(a.labels, l)
		}
	})
	o.labels = remove(o.labels, l)
}

func (c *call) getLabeledIndicator(l *SecurityLabel) *answer {
	i := c.indicatorAt("indicatorType", "indicator")
	if i == nil || !l.isOn(i) {
		return missing()
	}
	return c.oneIndicator(http.StatusOK, i, indicatorShape{read: true})
}
