package threatconnect_test

import (
	"fmt"
	"log"

	"github.com/threatconnect-go/threatconnect"
)

func ExampleAttackTags() {
	tags, err := threatconnect.AttackTags(threatconnect.AttackEnterprise, "T1546.011", "Event Triggered Execution", "persistence", "privilege-escalation")
	if err != nil {
		log.Fatal(err)
	}
	for _, tag := range tags {
		fmt.Println(tag)
	}
	// Output:
	// T1546.011 - Event Triggered Execution - PER - ENT - ATT&CK
	// T1546.011 - Event Triggered Execution - PRI - ENT - ATT&CK
}

func ExampleParseAttackTag() {
	tag, ok := threatconnect.ParseAttackTag("T1003 - OS Credential Dumping - CRA - ENT - ATT&CK")
	fmt.Println(tag.TechniqueID, tag.Technique, "for", tag.Tactic.Name, ok)
	// Output: T1003 OS Credential Dumping for Credential Access true
}
