package threatconnect

// IndicatorType is the name of an indicator type, as the platform writes it.
type IndicatorType string

// The standard indicator types.
const (
	TypeAddress      IndicatorType = "Address"
	TypeEmailAddress IndicatorType = "EmailAddress"
	TypeFile         IndicatorType = "File"
	TypeHost         IndicatorType = "Host"
	TypeURL          IndicatorType = "URL"
	TypeASN          IndicatorType = "ASN"
	TypeCIDR         IndicatorType = "CIDR"
	TypeMutex        IndicatorType = "Mutex"
	TypeRegistryKey  IndicatorType = "Registry Key"
	TypeUserAgent    IndicatorType = "User Agent"
	TypeEmailSubject IndicatorType = "Email Subject"
	TypeHashtag      IndicatorType = "Hashtag"
)
