package cli

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/threatconnect-go/threatconnect"
)

// errNoAnswer ends a first request that takes too long.
var errNoAnswer = errors.New("the instance does not answer: check the host and the port of TC_BASE_URL, and the proxy")

// Explain returns the error and its fix as a sentence in the terms of the command line.
func Explain(err error) string {
	switch {
	case errors.Is(err, errNoAnswer):
		return errNoAnswer.Error()
	case errors.Is(err, threatconnect.ErrClockSkew):
		return "the platform refuses the time of this machine: set its clock"
	case errors.Is(err, threatconnect.ErrSignature):
		return "the platform refuses the signature: check TC_ACCESS_ID and TC_SECRET_KEY, and set the key in single quotes, so that the shell keeps $ and !"
	case errors.Is(err, threatconnect.ErrTokenRefused):
		return "the platform refuses the token: get a new one for TC_TOKEN"
	case errors.Is(err, threatconnect.ErrOwnerRefused):
		return "there is no owner of this name that the API user can see: check --owner"
	case errors.Is(err, threatconnect.ErrBatchDisabled):
		return "the instance has no batch API: ask its administrator to switch it on"
	case errors.Is(err, threatconnect.ErrUnavailable) && errors.Is(err, context.DeadlineExceeded):
		return "the instance is not available at the moment (503): try again later, or ask its administrator"
	case errors.Is(err, threatconnect.ErrBadResponse) && errors.Is(err, threatconnect.ErrNotFound):
		return "there is no API at the base URL: is /api missing at its end?"
	}
	text := InFlagWords(Plain(err))
	request, _ := errors.AsType[*threatconnect.RequestError](err)
	if dial, ok := errors.AsType[*net.OpError](err); ok && request != nil && dial.Op == "dial" {
		text += "; check the host and the port of TC_BASE_URL, and the proxy"
	}
	return text
}

// InFlagWords returns a text of the library in the terms of the command line.
func InFlagWords(text string) string { return withoutGoNames(inFlagWords.Replace(text)) }

// inFlagWords replaces the names of the Go API in errors by flags.
var inFlagWords = strings.NewReplacer(
	"client.Owners", "threatconnect lookup --owners",
	"batch spool: ", "--spool: ",
	"MaxShare", "--max-share",
	"raise the size limit", "raise --max-size",
	"use a Mutex, UserAgent or another type by name if it is one", "a mutex, a user agent and the like need a format with types, such as csv or jsonl",
	"name of the feed is missing for a feed with groups; choose one that stays the same", "--feed is missing for a feed with groups: choose a name that stays the same",
	"make the client with Token or TokenFunc", "set TC_TOKEN instead of TC_ACCESS_ID and TC_SECRET_KEY",
	", or WithPlainHTTP", "",
	", or raise WithMaxResponseBytes", "",
	" (APIError.Foreign names it)", "",
	", see APIError.Foreign)", ")",
	" (unwrap RequestError.Err to read it)", "",
)

// goAdvice matches advice to programs.
var goAdvice = regexp.MustCompile(`,? or (?:set|clear|change the) \w+ of (?:an|the) ioc\.Parser(?: if it is a URL)?`)

// goName matches names of the Go API.
var goName = regexp.MustCompile(`\b(?:client|ioc|DataStore)\.[A-Z]|\b(?:With|Link|New)[A-Z]\w+|\b\w+(?:Config|Options|Error|Ref)\b`)

// quoted matches names of things of the platform.
var quoted = regexp.MustCompile(`"[^"]*"`)

// withoutGoNames drops the parts of an error, except the first, that contain names of the Go API.
func withoutGoNames(text string) string {
	parts := strings.Split(goAdvice.ReplaceAllString(text, ""), "; ")
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool {
		return part != parts[0] && goName.MatchString(quoted.ReplaceAllString(part, ""))
	}), "; ")
}

// Plain returns the text of an error as one line that is safe to print, without the names of packages. Joined
// errors are separated by semicolons.
func Plain(err error) string {
	text := Clean(strings.ReplaceAll(err.Error(), "\n", "; "))
	for _, name := range []string{"threatconnect: ", "ioc: ", "feeds: "} {
		text = strings.ReplaceAll(text, name, "")
	}
	return text
}

// WithoutPath returns the cause of an error of a file, for messages that name the file themselves.
func WithoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
