package dynamodb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// constraints gathers the members of an input that break a rule of the API's model. AWS looks at these
// before anything else, and names them all in one error.
type constraints []string

func (c *constraints) failed(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// err is nil if nothing failed.
func (c constraints) err() error {
	if len(c) == 0 {
		return nil
	}
	plural := ""
	if len(c) > 1 {
		plural = "s"
	}
	return invalid("%d validation error%s detected: %s", len(c), plural, strings.Join(c, "; "))
}

const (
	minTableName = 3
	maxTableName = 255
	maxTableARN  = 1024
)

var tableNameRunes = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// table checks a table's name; nothing else is looked at if that is wrong.
func (c *constraints) table(name string) bool {
	isARN := strings.HasPrefix(name, "arn:")
	switch {
	case name == "":
		c.failed("Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case !isARN && !tableNameRunes.MatchString(name):
		c.failed("Value '%s' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+", name)
	case !isARN && len(name) > maxTableName:
		c.failed("Value '%s' at 'tableName' failed to satisfy constraint: Member must have length less than or equal to %d", name, maxTableName)
	case len(name) > maxTableARN:
		c.failed("Value '%s' at 'tableName' failed to satisfy constraint: Member must have length less than or equal to %d", name, maxTableARN)
	default:
		return true
	}
	return false
}

// startTable checks the name behind which ListTables goes on. The table may be gone.
func (c *constraints) startTable(name string) {
	if len(name) < minTableName || len(name) > maxTableName || !tableNameRunes.MatchString(name) {
		c.failed("Value '%s' at 'exclusiveStartTableName' failed to satisfy constraint: Member must be %d to %d characters of [a-zA-Z0-9_.-]",
			name, minTableName, maxTableName)
	}
}

// oneOf checks a member whose values are enumerated; empty stands for the default.
func (c *constraints) oneOf(member, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.failed("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, member, strings.Join(allowed, ", "))
	}
}

func (c *constraints) returnConsumedCapacity(value string) {
	c.oneOf("returnConsumedCapacity", value, "INDEXES", "TOTAL", "NONE")
}

// present checks a member that is required.
func (c *constraints) present(member string, is bool) {
	if !is {
		c.failed("Value null at '%s' failed to satisfy constraint: Member must not be null", member)
	}
}
