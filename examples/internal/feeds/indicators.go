package feeds

import (
	"errors"

	"github.com/threatconnect-go/threatconnect"
)

// typed makes an indicator of a standard type out of its summary, in canonical form.
func typed(t threatconnect.IndicatorType, summary string) (threatconnect.Indicator, error) {
	switch t {
	case threatconnect.TypeAddress:
		return checked(summary, threatconnect.CanonicalAddress, threatconnect.NewAddress)
	case threatconnect.TypeEmailAddress:
		return checked(summary, threatconnect.CanonicalEmailAddress, threatconnect.NewEmailAddress)
	case threatconnect.TypeHost:
		return checked(summary, threatconnect.CanonicalHost, threatconnect.NewHost)
	case threatconnect.TypeURL:
		return checked(summary, threatconnect.CanonicalURL, threatconnect.NewURL)
	case threatconnect.TypeASN:
		return checked(summary, threatconnect.CanonicalASN, threatconnect.NewASN)
	case threatconnect.TypeCIDR:
		return checked(summary, threatconnect.CanonicalCIDR, threatconnect.NewCIDR)
	case threatconnect.TypeMutex:
		return checked(summary, threatconnect.CanonicalMutex, threatconnect.NewMutex)
	case threatconnect.TypeUserAgent:
		return checked(summary, threatconnect.CanonicalUserAgent, threatconnect.NewUserAgent)
	case threatconnect.TypeEmailSubject:
		return checked(summary, threatconnect.CanonicalEmailSubject, threatconnect.NewEmailSubject)
	case threatconnect.TypeHashtag:
		return checked(summary, threatconnect.CanonicalHashtag, threatconnect.NewHashtag)
	case threatconnect.TypeFile:
		md5, sha1, sha256, err := threatconnect.SplitFileSummary(summary)
		if err != nil {
			return nil, err
		}
		return &threatconnect.File{MD5: md5, SHA1: sha1, SHA256: sha256}, nil
	case threatconnect.TypeRegistryKey:
		key, name, valueType, err := threatconnect.SplitRegistrySummary(summary)
		if err != nil {
			return nil, err
		}
		return threatconnect.NewRegistryKey(key, name, valueType), nil
	}
	return nil, errors.New("has a type that is not one of the standard indicator types, as in Host or EmailAddress")
}

func checked[T threatconnect.Indicator](value string, canonical func(string) (string, error), make func(string) T) (threatconnect.Indicator, error) {
	value, err := canonical(value)
	if err != nil {
		return nil, err
	}
	return make(value), nil
}
