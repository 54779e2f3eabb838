package canon

// Error is the reason why a value is refused. It never contains the value.
type Error struct {
	Field string // kind of value, for example "host name"
	Rule  string // rule that the value breaks; begins with a verb
	Fix   string // how to fix the value
}

// Error returns the field, the rule and the fix as a sentence.
func (e *Error) Error() string { return e.Field + " " + e.Rule + "; " + e.Fix }

// refuse returns the error for a value that breaks a rule. The arguments must not contain the
// value.
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
