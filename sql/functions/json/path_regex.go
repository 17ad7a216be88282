package json

import (
	"regexp"
	"strings"
	"sync"

	"github.com/basaltdb/basalt/sql/pgerror"
)

// regexCache keeps the patterns of like_regex; regexCacheMax bounds it.
var regexCache struct {
	sync.Mutex
	m map[string]*regexp.Regexp
}

const regexCacheMax = 256

// pathRegex compiles the pattern of like_regex. By default a dot does not match
// a line feed and ^ and $ match at the ends of the text.
func pathRegex(pattern, flags string) (*regexp.Regexp, error) {
	key := flags + "/" + pattern
	regexCache.Lock()
	defer regexCache.Unlock()
	if re := regexCache.m[key]; re != nil {
		return re, nil
	}
	src := pattern
	if strings.Contains(flags, "q") {
		src = regexp.QuoteMeta(pattern)
	}
	opts := ""
	for _, f := range "ism" {
		if strings.ContainsRune(flags, f) {
			opts += string(f)
		}
	}
	if opts != "" {
		src = "(?" + opts + ")" + src
	}
	re, err := regexp.Compile(src)
	if err != nil {
		return nil, pgerror.New(pgerror.InvalidRegularExpression, "invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if regexCache.m == nil || len(regexCache.m) >= regexCacheMax {
		regexCache.m = map[string]*regexp.Regexp{}
	}
	regexCache.m[key] = re
	return re, nil
}
