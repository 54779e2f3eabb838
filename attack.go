package threatconnect

import (
	"slices"
	"strings"
)

// AttackMatrix is a matrix of MITRE ATT&CK, as abbreviated in tags.
type AttackMatrix string

// The matrices.
const (
	AttackEnterprise AttackMatrix = "ENT" // Enterprise ATT&CK
	AttackPRE        AttackMatrix = "PRE" // PRE-ATT&CK
)

// AttackTactic is a tactic of MITRE ATT&CK.
type AttackTactic struct {
	Matrix AttackMatrix
	Name   string // as in "Privilege Escalation"
	// Abbreviation is the short form in tags, as in PRI. It is empty for newer tactics, which have none.
	Abbreviation string
}

// attackNotDetermined stands in a tag for a tactic that is not known.
const attackNotDetermined = "NDT"

// What stands between the parts of a tag, and at the end of one in the form for feeds.
const (
	attackSeparator = " - "
	attackSuffix    = "ATT&CK"
)

// attackTactics are the tactics with the abbreviations that ThreatConnect's guide for partners
// ("References - Contributing MITRE ATT&CK Data") and the tag list of TcEx use. The names are
// MITRE's. It is not written to.
var attackTactics = [...]AttackTactic{
	{Matrix: AttackEnterprise, Name: "Reconnaissance"},
	{Matrix: AttackEnterprise, Name: "Resource Development"},
	{Matrix: AttackEnterprise, Name: "Initial Access", Abbreviation: "INI"},
	{Matrix: AttackEnterprise, Name: "Execution", Abbreviation: "EXE"},
	{Matrix: AttackEnterprise, Name: "Persistence", Abbreviation: "PER"},
	{Matrix: AttackEnterprise, Name: "Privilege Escalation", Abbreviation: "PRI"},
	{Matrix: AttackEnterprise, Name: "Defense Evasion", Abbreviation: "DEF"},
	{Matrix: AttackEnterprise, Name: "Credential Access", Abbreviation: "CRA"},
	{Matrix: AttackEnterprise, Name: "Discovery", Abbreviation: "DIS"},
	{Matrix: AttackEnterprise, Name: "Lateral Movement", Abbreviation: "LAT"},
	{Matrix: AttackEnterprise, Name: "Collection", Abbreviation: "COL"},
	{Matrix: AttackEnterprise, Name: "Command and Control", Abbreviation: "C&C"},
	{Matrix: AttackEnterprise, Name: "Exfiltration", Abbreviation: "EXF"},
	{Matrix: AttackEnterprise, Name: "Impact", Abbreviation: "IMP"},
	{Matrix: AttackPRE, Name: "Priority Definition Planning", Abbreviation: "PDP"},
	{Matrix: AttackPRE, Name: "Priority Definition Direction", Abbreviation: "PDD"},
	{Matrix: AttackPRE, Name: "Target Selection", Abbreviation: "TAR"},
	{Matrix: AttackPRE, Name: "Technical Information Gathering", Abbreviation: "TIG"},
	{Matrix: AttackPRE, Name: "People Information Gathering", Abbreviation: "PIG"},
	{Matrix: AttackPRE, Name: "Organizational Information Gathering", Abbreviation: "OIG"},
	{Matrix: AttackPRE, Name: "Technical Weakness Identification", Abbreviation: "TWI"},
	{Matrix: AttackPRE, Name: "People Weakness Identification", Abbreviation: "PWI"},
	{Matrix: AttackPRE, Name: "Organizational Weakness Identification", Abbreviation: "OWI"},
	{Matrix: AttackPRE, Name: "Adversary OPSEC", Abbreviation: "AOP"},
	{Matrix: AttackPRE, Name: "Establish & Maintain Infrastructure", Abbreviation: "EMI"},
	{Matrix: AttackPRE, Name: "Persona Development", Abbreviation: "PDV"},
	{Matrix: AttackPRE, Name: "Build Capabilities", Abbreviation: "BDC"},
	{Matrix: AttackPRE, Name: "Test Capabilities", Abbreviation: "TST"},
	{Matrix: AttackPRE, Name: "Stage Capabilities", Abbreviation: "STG"},
	{Matrix: AttackPRE, Name: "Launch", Abbreviation: "LNC"},
	{Matrix: AttackPRE, Name: "Compromise", Abbreviation: "COM"},
}

// AttackTactics returns all tactics, those of Enterprise ATT&CK first. The slice is the caller's.
func AttackTactics() []AttackTactic { return slices.Clone(attackTactics[:]) }

// AttackTacticOf returns the tactic that has a name or an abbreviation, in any case, with spaces,
// hyphens or underscores between its words ("Defense Evasion", "defense-evasion", "DEF").
func AttackTacticOf(nameOrAbbreviation string) (AttackTactic, bool) {
	key := attackKey(nameOrAbbreviation)
	if key == "" {
		return AttackTactic{}, false
	}
	for _, t := range attackTactics {
		if key == attackKey(t.Name) || key == attackKey(t.Abbreviation) {
			return t, true
		}
	}
	return AttackTactic{}, false
}

// attackKey is what two spellings of a tactic have in common.
func attackKey(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), " ")
}

// AttackTag is the meaning of a MITRE ATT&CK tag.
//
// The platform knows tags of three forms, and String writes the one that the fields make:
//
//   - technique and matrix, as ThreatConnect asks feeds to write it, with NDT where the tactic is
//     not known: "T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK"
//   - tactic only: "Privilege-Escalation"
//   - technique without matrix, as newer versions of the platform write it by themselves:
//     "T1499.004 - Endpoint Denial of Service: Application or System Exploitation". Such a tag
//     cannot be put on by its full name: send the technique's name alone, and the platform makes
//     the tag of it.
type AttackTag struct {
	TechniqueID string       // T and four digits, with three more behind a point for a sub-technique; empty when only the tactic is known
	Technique   string       // its name; empty when only the tactic is known
	Tactic      AttackTactic // the zero value when it is not known
	Matrix      AttackMatrix // of a technique's tag in the form for feeds; empty in the other two
}

// AttackTags returns the tags of a technique in the form for feeds: one for each tactic, or one with
// NDT when there is none. Tactics are given by name or abbreviation, as for [AttackTacticOf], and
// must be of the matrix. One that has no abbreviation, or is not known, is a [*ValidationError], and
// so is a tag that would be longer than tags can be.
func AttackTags(matrix AttackMatrix, techniqueID, technique string, tactics ...string) ([]string, error) {
	tags := make([]string, 0, max(1, len(tactics)))
	add := func(tactic AttackTactic) error {
		tag := AttackTag{TechniqueID: techniqueID, Technique: technique, Tactic: tactic, Matrix: matrix}
		if err := tag.check(); err != nil {
			return err
		}
		tags = append(tags, tag.String())
		return nil
	}
	if len(tactics) == 0 {
		if err := add(AttackTactic{}); err != nil {
			return nil, err
		}
	}
	for _, name := range tactics {
		tactic, ok := AttackTacticOf(name)
		if !ok {
			return nil, &ValidationError{Field: "ATT&CK tactic", Rule: "is not known", Fix: "give one that AttackTactics lists, or none"}
		}
		if err := add(tactic); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// check refuses a tag for feeds that ThreatConnect's form has no place for.
func (t AttackTag) check() error {
	bad := func(field, rule, fix string) error { return &ValidationError{Field: field, Rule: rule, Fix: fix} }
	switch {
	case t.Matrix != AttackEnterprise && t.Matrix != AttackPRE:
		return bad("ATT&CK matrix", "must be ENT or PRE", "")
	case !isTechniqueID(t.TechniqueID):
		return bad("ATT&CK technique id", "must be T and four digits, and three more behind a point for a sub-technique", "write it as in T1546.011")
	case strings.TrimSpace(t.Technique) == "":
		return bad("ATT&CK technique", "has no name", "")
	case t.Tactic != AttackTactic{} && t.Tactic.Matrix != t.Matrix:
		return bad("ATT&CK tactic", "is of another matrix than the technique", "")
	case t.Tactic != AttackTactic{} && t.Tactic.Abbreviation == "":
		return bad("ATT&CK tactic", "has no abbreviation", "leave it out, which writes NDT")
	}
	_, err := canonicalTag(t.String())
	return err
}

// String returns the tag. It is "" for a tag that says nothing.
func (t AttackTag) String() string {
	switch {
	case t.TechniqueID == "":
		return strings.ReplaceAll(t.Tactic.Name, " ", "-")
	case t.Matrix == "":
		return t.TechniqueID + attackSeparator + strings.TrimSpace(t.Technique)
	}
	tactic := t.Tactic.Abbreviation
	if tactic == "" {
		tactic = attackNotDetermined
	}
	return strings.Join([]string{t.TechniqueID, strings.TrimSpace(t.Technique), tactic, string(t.Matrix), attackSuffix}, attackSeparator)
}

// ParseAttackTag reads a tag in one of the forms of [AttackTag]. ok is false for any other tag.
func ParseAttackTag(tag string) (t AttackTag, ok bool) {
	tag = strings.TrimSpace(tag)
	if !strings.Contains(tag, " ") {
		for _, tactic := range attackTactics {
			if strings.EqualFold(tag, strings.ReplaceAll(tactic.Name, " ", "-")) {
				return AttackTag{Tactic: tactic}, true
			}
		}
		return AttackTag{}, false
	}
	id, technique, ok := strings.Cut(tag, attackSeparator)
	if !ok || !isTechniqueID(id) {
		return AttackTag{}, false
	}
	t.TechniqueID = id
	// From the end, because a technique's name can hold a separator, or end in a part of one.
	if rest, ok := strings.CutSuffix(technique, attackSeparator+attackSuffix); ok {
		rest, matrix, hasMatrix := cutLast(rest, attackSeparator)
		rest, tactic, hasTactic := cutLast(rest, attackSeparator)
		if hasMatrix && hasTactic {
			t.Matrix, technique = AttackMatrix(matrix), rest
			if t.Matrix != AttackEnterprise && t.Matrix != AttackPRE || !t.setTactic(tactic) {
				return AttackTag{}, false
			}
		}
	}
	t.Technique = strings.TrimSpace(technique)
	if t.Technique == "" {
		return AttackTag{}, false
	}
	return t, true
}

// cutLast cuts s around the last separator in it.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// setTactic sets the tactic that an abbreviation stands for in the tag's matrix.
func (t *AttackTag) setTactic(abbreviation string) bool {
	if abbreviation == attackNotDetermined {
		return true
	}
	for _, tactic := range attackTactics {
		if abbreviation != "" && tactic.Abbreviation == abbreviation && tactic.Matrix == t.Matrix {
			t.Tactic = tactic
			return true
		}
	}
	return false
}

// isTechniqueID reports whether s is T1234 or T1234.001.
func isTechniqueID(s string) bool {
	id, sub, dotted := strings.Cut(s, ".")
	return len(id) == 5 && id[0] == 'T' && allDigits(id[1:]) && (!dotted || len(sub) == 3 && allDigits(sub))
}
