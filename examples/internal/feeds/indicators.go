package feeds

import (
	"errors"

	"github.com/threatconnect-go/threatconnect"
	"github.com/threatconnect-go/threatconnect/ioc"
)

// typed makes an indicator of a standard type out of its summary, in canonical form.
func typed(t threatconnect.IndicatorType, summary string) (threatconnect.Indicator, error) {
	switch t {
	case threatconnect.TypeAddress:
		return checked(ioc.TypeAddress, summary, threatconnect.NewAddress)
	case threatconnect.TypeEmailAddress:
		return checked(ioc.TypeEmailAddress, summary, threatconnect.NewEmailAddress)
	case threatconnect.TypeHost:
		return checked(ioc.TypeHost, summary, threatconnect.NewHost)
	case threatconnect.TypeURL:
		return checked(ioc.TypeURL, summary, threatconnect.NewURL)
	case threatconnect.TypeASN:
		return checked(ioc.TypeASN, summary, threatconnect.NewASN)
	case threatconnect.TypeCIDR:
		return checked(ioc.TypeCIDR, summary, threatconnect.NewCIDR)
	case threatconnect.TypeMutex:
		return checked(ioc.TypeMutex, summary, threatconnect.NewMutex)
	case threatconnect.TypeUserAgent:
		return checked(ioc.TypeUserAgent, summary, threatconnect.NewUserAgent)
	case threatconnect.TypeEmailSubject:
		return checked(ioc.TypeEmailSubject, summary, threatconnect.NewEmailSubject)
	case threatconnect.TypeHashtag:
		return checked(ioc.TypeHashtag, summary, threatconnect.NewHashtag)
	case threatconnect.TypeFile:
		md5, sha1, sha256, err := ioc.SplitFileSummary(summary)
		if err != nil {
			return nil, err
		}
		return &threatconnect.File{MD5: md5, SHA1: sha1, SHA256: sha256}, nil
	case threatconnect.TypeRegistryKey:
		key, name, valueType, err := ioc.SplitRegistrySummary(summary)
		if err != nil {
			return nil, err
		}
		return threatconnect.NewRegistryKey(key, name, valueType), nil
	}
	return nil, errors.New("has a type that is not one of the standard indicator types, as in Host or EmailAddress")
}

func checked[T threatconnect.Indicator](t ioc.Type, value string, make func(string) T) (threatconnect.Indicator, error) {
	value, err := ioc.Canonical(t, value)
	if err != nil {
		return nil, err
	}
	return make(value), nil
}
