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

func refuseBlank(field string) error { return refuse(field, "is blank", "give it a value") }

func refuseDefanged(field string) error {
	return refuse(field, "is defanged", "pass it through ioc.Refang first")
}

func refuseZone(field string) error {
	return refuse(field, "has a zone", "drop the zone: it means something on one machine only")
}
