package feeds

// preset returns the column map of a format, or nil.
func preset(f Format) *CSV {
	switch f {
	case FormatURLhaus:
		return new(URLhaus())
	case FormatFeodo:
		return new(Feodo())
	case FormatThreatFox:
		return new(ThreatFox())
	}
	return nil
}

// URLhaus returns the column map of FormatURLhaus.
func URLhaus() CSV {
	return CSV{
		Columns: []Column{
			{Name: "url", Field: FieldValue, Type: "URL"},
			{Name: "dateadded", Field: FieldAdded},
			{Name: "last_online", Field: FieldLastSeen, Optional: true},
			{Name: "tags", Field: FieldTags, Optional: true},
			{Name: "threat", Field: FieldDescription, Text: "Threat: %s."},
			{Name: "url_status", Field: FieldDescription, Text: "Status: %s.", Optional: true},
			{Name: "urlhaus_link", Field: FieldSource},
			{Name: "threat", Field: FieldGroup, Type: "Threat", Text: "URLs that are listed as %s.", Values: map[string]string{"malware_download": "Malware download"}},
		},
		None: []string{"None"},
		Layouts: [][]string{
			{"id", "dateadded", "url", "url_status", "threat", "tags", "urlhaus_link", "reporter"},
			{"id", "dateadded", "url", "url_status", "last_online", "threat", "tags", "urlhaus_link", "reporter"},
		},
	}
}

// Feodo returns the column map of FormatFeodo.
func Feodo() CSV {
	return CSV{
		Columns: []Column{
			{Name: "dst_ip", Field: FieldValue, Type: "Address"},
			{Name: "first_seen_utc", Field: FieldFirstSeen, Optional: true},
			{Name: "firstseen", Field: FieldFirstSeen, Optional: true},
			{Name: "last_online", Field: FieldLastSeen, Optional: true},
			{Name: "dst_port", Field: FieldPort, Text: "Command and control server on port %s."},
			{Name: "c2_status", Field: FieldDescription, Text: "Status: %s.", Optional: true},
			{Name: "malware", Field: FieldTags},
			{Name: "malware", Field: FieldGroup, Type: "Malware", Text: "Malware whose command and control servers are listed."},
		},
		Layouts: [][]string{
			{"firstseen", "dst_ip", "dst_port", "malware"},
			{"firstseen", "dst_ip", "dst_port", "last_online", "malware"},
			{"first_seen_utc", "dst_ip", "dst_port", "c2_status", "last_online", "malware"},
		},
	}
}

// ThreatFox returns the column map of FormatThreatFox.
func ThreatFox() CSV {
	return CSV{
		Columns: []Column{
			{Name: "ioc_value", Field: FieldValue},
			{Name: "ioc_type", Field: FieldType, Values: map[string]string{
				"domain": "Host", "ip:port": "Address", "url": "URL",
				"md5_hash": "File", "sha1_hash": "File", "sha256_hash": "File", "sha3_384_hash": "",
				"envelope_from": "EmailAddress", "body_from": "EmailAddress",
			}},
			{Name: "first_seen_utc", Field: FieldFirstSeen},
			{Name: "last_seen_utc", Field: FieldLastSeen, Optional: true},
			{Name: "confidence_level", Field: FieldConfidence, Optional: true},
			{Name: "tags", Field: FieldTags, Optional: true},
			{Name: "threat_type", Field: FieldDescription, Text: "Threat: %s.", Optional: true},
			{Name: "is_compromised", Field: FieldDescription, Text: "Compromised site.", Values: map[string]string{"False": ""}, Optional: true},
			{Name: "reference", Field: FieldSource, Optional: true},
			{Name: "malware_printable", Field: FieldGroup, Type: "Malware", Text: "Malware whose indicators are listed.", Values: map[string]string{"Unknown malware": ""}, Optional: true},
		},
		None: []string{"None"},
		Layouts: [][]string{
			{"first_seen_utc", "ioc_id", "ioc_value", "ioc_type", "threat_type", "fk_malware", "malware_alias", "malware_printable",
				"last_seen_utc", "confidence_level", "reference", "tags", "anonymous", "reporter"},
			{"first_seen_utc", "ioc_id", "ioc_value", "ioc_type", "threat_type", "fk_malware", "malware_alias", "malware_printable",
				"last_seen_utc", "confidence_level", "is_compromised", "reference", "tags", "anonymous", "reporter"},
		},
	}
}
