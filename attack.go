package threatconnect

import (
	"slices"
	"strings"
)

// AttackMatrix is a matrix of MITRE ATT&CK, as abbreviated in tags.
type AttackMatrix string

// The matrices of MITRE ATT&CK.
const (
	AttackEnterprise AttackMatrix = "ENT" // Enterprise ATT&CK
	AttackPRE        AttackMatrix = "PRE" // PRE-ATT&CK
)

// AttackTactic is a tactic of MITRE ATT&CK.
type AttackTactic struct {
	Matrix AttackMatrix
	Name   string // for example "Privilege Escalation"
	// Abbreviation is the short form in tags, for example PRI. Newer tactics have none, so it is empty.
	Abbreviation string
}

// attackNotDetermined is the abbreviation of an unknown tactic.
const attackNotDetermined = "NDT"

// The separator between the parts of a tag, and the last part of a tag in the form for feeds.
const (
	attackSeparator = " - "
	attackSuffix    = "ATT&CK"
)

// attackTactics are the tactics with the abbreviations that ThreatConnect's guide for partners
// ("References - Contributing MITRE ATT&CK Data") and the tag list of TcEx use. The names are
// MITRE's. The table is read-only.
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

// AttackTactics returns all tactics, those of Enterprise ATT&CK first. The caller may modify the slice.
func AttackTactics() []AttackTactic { return slices.Clone(attackTactics[:]) }

// AttackTacticOf returns the tactic with a name or an abbreviation. It ignores case and accepts spaces, hyphens or
// underscores between words: "Defense Evasion", "defense-evasion", "DEF". It reports whether it found a tactic.
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

// attackKey returns a key that is equal for all spellings of a tactic.
func attackKey(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), " ")
}

// AttackTag is a parsed MITRE ATT&CK tag.
//
// Tags have one of three forms. The fields that are set determine the form that String returns:
//
//   - technique with matrix, the form that ThreatConnect asks feeds to send, with NDT for an unknown tactic:
//     "T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK"
//   - tactic only: "Privilege-Escalation"
//   - technique without matrix, the form that newer versions of the platform create:
//     "T1499.004 - Endpoint Denial of Service: Application or System Exploitation". Such a tag cannot be added by
//     its full name: add the name of the technique, and the platform converts it.
type AttackTag struct {
	TechniqueID string       // T and four digits, followed by a point and three digits for a sub-technique; empty if only the tactic is known
	Technique   string       // its name; empty if only the tactic is known
	Tactic      AttackTactic // the zero value if unknown
	Matrix      AttackMatrix // set in the form for feeds only
}

// AttackTags returns the tags of a technique in the form for feeds: one tag per tactic, or a single tag with NDT if
// there are no tactics. Tactics are names or abbreviations that [AttackTacticOf] accepts, of the same matrix.
//
// AttackTags returns a [*ValidationError] for an unknown tactic, for a tactic without an abbreviation, and for a tag
// that exceeds the maximum length of tags.
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

// check returns an error if the tag cannot be written in the form for feeds.
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

// String returns the tag, or "" if the tag has neither a technique ID nor a tactic.
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

// ParseAttackTag parses a tag in one of the forms of [AttackTag]. For any other tag, ok is false.
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
	// Cut from the end, because the name of a technique can contain a separator or end in a part of one.
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

// setTactic sets the tactic with an abbreviation in the tag's matrix and reports whether it exists.
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
