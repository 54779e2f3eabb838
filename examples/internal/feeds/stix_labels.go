package feeds

import "github.com/threatconnect-go/threatconnect"

// tlpMarkings are the ids that STIX 2.0 and 2.1 give the markings of the Traffic Light Protocol: they
// are the same in all bundles and need not be in any.
func tlpMarkings() map[string]string {
	return map[string]string{
		"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "TLP:WHITE",
		"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "TLP:GREEN",
		"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "TLP:AMBER",
		"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "TLP:RED",
		"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "TLP:CLEAR",
		"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "TLP:GREEN",
		"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "TLP:AMBER",
		"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "TLP:AMBER+STRICT",
		"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "TLP:RED",
	}
}

// tlpLabel returns the label of the Traffic Light Protocol of this name, with what an owner needs
// to know that does not have it yet.
func tlpLabel(name string) (threatconnect.SecurityLabel, bool) {
	description, color := "", "FFFFFF"
	switch name {
	case "TLP:RED":
		description, color = "Not to be shared beyond those who received it.", "FF2B2B"
	case "TLP:AMBER+STRICT":
		description, color = "To be shared within the organization only.", "FFC000"
	case "TLP:AMBER":
		description, color = "To be shared within the organization and with its clients.", "FFC000"
	case "TLP:GREEN":
		description, color = "To be shared within the community.", "33FF00"
	case "TLP:CLEAR", "TLP:WHITE":
		description = "To be shared without limit."
	default:
		return threatconnect.SecurityLabel{}, false
	}
	return threatconnect.SecurityLabel{Name: name, Description: description, Color: color}, true
}
