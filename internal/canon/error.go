package canon

// Error is the reason why a value is refused. It never contains the value.
type Error struct {
	Field string // the kind of value, as in "host name"
	Rule  string // the rule that the value breaks; begins with a verb
	Fix   string // how to fix it
}

// Error returns the field, the rule and the fix as a sentence.
func (e *Error) Error() string { return e.Field + " " + e.Rule + "; " + e.Fix }

// refuse returns the error for a value that breaks a rule. No argument may contain the value.
func refuse(field, rule, fix string) error {
	return &Error{Field: field, Rule: rule, Fix: fix}
}
