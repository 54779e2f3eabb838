package threatconnecttest

import "net/http"

func labelRoutes() []route {
	const one = "/v2/securityLabels/{securityLabelName}"
	routes := []route{
		{method: "GET", pattern: "/v2/securityLabels", handle: (*call).listLabels},
		{method: "GET", pattern: one, handle: (*call).getLabel},
		{method: "DELETE", pattern: one, handle: (*call).deleteLabel},
		{method: "GET", pattern: one + "/indicators/{indicatorType}/{indicator}", handle: (*call).getLabeledIndicator},
	}
	routes = append(routes, circleRoutes(one, circleNames{"groupType", "groupId", "indicatorType", "indicator"}, (*call).labelCircle)...)
	return append(routes, peopleRoutes(one, "taskId", "victimId", (*call).labelCircle)...)
}

// ownersLabel is the label that the path names, in the owner of the call.
func (c *call) ownersLabel() (*owner, *SecurityLabel, *answer) {
	o, bad := c.owner()
	if bad != nil {
		return nil, nil, bad
	}
	if l := o.label(c.params.get("securityLabelName")); l != nil {
		return o, l, nil
	}
	return nil, nil, missing()
}

func (c *call) labelCircle() (circle, *answer) {
	o, l, bad := c.ownersLabel()
	if bad != nil {
		return circle{}, bad
	}
	return circle{o, l.carriedBy}, nil
}

func (c *call) listLabels() *answer {
	o, bad := c.owner()
	if bad != nil {
		return bad
	}
	want, bad := c.filters(filterFields{"name": {filterText, "=^"}})
	if bad != nil {
		return bad
	}
	return c.page("securityLabel", true, func(take func() *jsonWriter) {
		for _, l := range o.labels {
			if !want.match(func(string) any { return l.Name }) {
				continue
			}
			if w := take(); w != nil {
				w.open()
				l.write(w)
				w.close()
			}
		}
	})
}

func (c *call) getLabel() *answer {
	_, l, bad := c.ownersLabel()
	if bad != nil {
		return bad
	}
	return c.one(http.StatusOK, "securityLabel", l.write)
}

func (c *call) deleteLabel() *answer {
	if _, bad := c.writableOwner(); bad != nil {
		return bad
	}
	o, l, bad := c.ownersLabel()
	if bad != nil {
		return bad
	}
	c.carriers(o, func(m *metadata) {
		m.labels = remove(m.labels, l)
		for _, a := range m.attributes {
			a.labels = remove(a.labels, l)
		}
	})
	o.labels = remove(o.labels, l)
	return success(http.StatusOK)
}

func (c *call) getLabeledIndicator() *answer {
	_, l, bad := c.ownersLabel()
	if bad != nil {
		return bad
	}
	i, bad := c.indicatorAt("indicatorType", "indicator")
	if bad != nil {
		return bad
	}
	if !l.carriedBy(i) {
		return missing()
	}
	return c.one(http.StatusOK, i.typ.Entity, func(w *jsonWriter) { i.write(w, indicatorShape{read: true}) })
}
