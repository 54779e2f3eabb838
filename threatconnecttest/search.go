package threatconnecttest

import "strings"

// Counts contains the number of an owner's items of each kind.
type Counts struct {
	Indicators int `json:"indicators"`
	Groups     int `json:"groups"`
	Tags       int `json:"tags"`
	Tasks      int `json:"tasks"`
	Victims    int `json:"victims"`
}

// Counts returns the number of an owner's items of each kind. All are 0 if the owner does not
// exist. It also counts the indicators of a server created [WithoutContents].
func (s *Server) Counts(owner string) Counts {
	defer s.view()()
	o := s.ownerByName(owner)
	if o == nil {
		return Counts{}
	}
	c := Counts{Indicators: o.size(), Groups: len(o.groups), Tags: len(o.tags)}
	for _, t := range s.tasks {
		if t.owner == o {
			c.Tasks++
		}
	}
	for _, v := range s.victims {
		if v.owner == o {
			c.Victims++
		}
	}
	return c
}

// Query selects indicators or groups of an owner for [Server.Search].
type Query struct {
	Owner  string `json:"owner,omitzero"`  // the API user's organization if empty
	Groups bool   `json:"groups,omitzero"` // search groups instead of indicators
	Type   string `json:"type,omitzero"`   // all types if empty
	Text   string `json:"text,omitzero"`   // part of the summary or name, case-insensitive
	Start  int    `json:"start,omitzero"`  // number of matches to skip
	Limit  int    `json:"limit,omitzero"`  // maximum number of results; 100 if not positive
}

// SearchResult is a page of search results.
type SearchResult struct {
	Indicators []IndicatorRecord `json:"indicators,omitzero"`
	Groups     []GroupRecord     `json:"groups,omitzero"`
	Total      int               `json:"total"` // number of matches on all pages
}

// Search finds indicators or groups of an owner, in creation order. It builds records only for the
// requested page. The result is empty if the owner or the type does not exist.
func (s *Server) Search(q Query) SearchResult {
	defer s.view()()
	o := s.owners[0]
	if q.Owner != "" {
		o = s.ownerByName(q.Owner)
	}
	var f SearchResult
	if o == nil {
		return f
	}
	if q.Limit <= 0 {
		q.Limit = defaultLimit
	}
	q.Start = max(q.Start, 0)
	text := strings.ToLower(q.Text)
	onPage := func() bool {
		f.Total++
		return f.Total > q.Start && f.Total-q.Start <= q.Limit
	}
	if q.Groups {
		for _, g := range o.groups {
			if (q.Type == "" || g.typ.name == q.Type) && containsFold(g.name, text) && onPage() {
				f.Groups = append(f.Groups, g.record())
			}
		}
		return f
	}
	if q.Type == "" && text == "" && o.removed == 0 {
		f.Total = len(o.indicators)
		for _, i := range o.indicators[min(q.Start, f.Total):min(q.Start+q.Limit, f.Total)] {
			f.Indicators = append(f.Indicators, i.record())
		}
		return f
	}
	t := s.typeByName(q.Type)
	for _, i := range o.indicators {
		if (q.Type == "" || i.typ == t) && !i.has(flagRemoved) && containsFold(i.value, text) && onPage() {
			f.Indicators = append(f.Indicators, i.record())
		}
	}
	return f
}

// containsFold reports whether s contains a lower-case text, ignoring the case of s.
func containsFold(s, lower string) bool {
	if strings.Contains(s, lower) {
		return true
	}
	for _, c := range []byte(s) {
		if 'A' <= c && c <= 'Z' || c >= 0x80 {
			return strings.Contains(strings.ToLower(s), lower)
		}
	}
	return false
}
