package published

import "strings"

// token is a piece of the form of an ARN: one character, or a variable part.
type token struct {
	char     byte // 0: a variable part
	anything bool // the part may contain colons and slashes
}

// wide are the variable parts that may contain slashes and colons; a table's name, for example, can't.
var wide = map[string]bool{
	"LogGroupName": true, "LogStreamName": true, "ParameterNameWithoutLeadingSlash": true, "ApiSpecificResourcePath": true,
}

// tokens splits a form such as arn:${Partition}:sqs:${Region}:${Account}:${QueueName}.
func tokens(form string) (all []token) {
	for form != "" {
		if rest, variable := strings.CutPrefix(form, "${"); variable {
			name, after, _ := strings.Cut(rest, "}")
			all, form = append(all, token{anything: wide[name]}), after
			continue
		}
		all, form = append(all, token{char: form[0]}), form[1:]
	}
	return all
}

// fits reports whether a token may stand for a character, as all or a part of it.
func (t token) fits(c byte) bool {
	if t.char != 0 {
		return t.char == c
	}
	return t.anything || c != ':' && c != '/'
}

// overlap reports whether an ARN of a form matches a resource, in which * stands for any text.
func overlap(form []token, resource string) bool {
	switch {
	case strings.HasPrefix(resource, "*"):
		return overlap(form, resource[1:]) || len(form) > 0 && overlap(form[1:], resource)
	case len(form) == 0 || resource == "":
		return len(form) == 0 && resource == ""
	case !form[0].fits(resource[0]):
		return false
	}
	return overlap(form[1:], resource[1:]) || form[0].char == 0 && overlap(form, resource[1:])
}
