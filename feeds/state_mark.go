package feeds

// mark returns the mark of this run.
func (s *State) mark(now *mark) *mark {
	s.previous = now
	s.restart = now != nil && now.Run == s.options.Run && !now.Disputed
	switch {
	case s.restart:
		s.reason, s.mixed = now.Reason, now.Mixed
	case now != nil:
		s.reason = "the last run did not finish, or another one is in progress"
	}
	if s.options.Full {
		s.reason = "a full run was requested"
	}
	return &mark{Run: s.options.Run, Token: s.token, Reason: s.reason, Mixed: s.mixed}
}

// unmark removes the mark of this run.
func (s *State) unmark(now *mark) *mark {
	if now == nil || now.Token != s.token {
		return now
	}
	return s.previous
}

// mix returns the mark of a run that has sent several versions of the feed.
func (s *State) mix(now *mark) *mark {
	if now == nil || now.Token != s.token {
		return now // Save returns the error
	}
	mixed := *now
	mixed.Mixed = true
	return &mixed
}

// giveBack restores the previous mark of the store if no item was sent.
func (s *State) giveBack() error {
	if s.done || s.yielded > 0 || s.passes > 1 {
		return nil
	}
	s.done = true
	return s.swap(s.unmark)
}
