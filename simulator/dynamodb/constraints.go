package dynamodb

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// constraints collects the members of an input that break a rule of the API's model. AWS checks these before anything
// else, and names them all in one error.
type constraints []string

// failed adds one broken rule, in AWS's words.
func (c *constraints) failed(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// err returns the error that names all broken rules, or nil if there are none.
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

// table checks a table's name or ARN, and reports whether it is valid. If it is not, actions on one table leave the
// other members unchecked.
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

// startTable checks the name after which ListTables continues. The table itself may have been deleted.
func (c *constraints) startTable(name string) {
	if len(name) < minTableName || len(name) > maxTableName || !tableNameRunes.MatchString(name) {
		c.failed("Value '%s' at 'exclusiveStartTableName' failed to satisfy constraint: Member must be %d to %d characters of [a-zA-Z0-9_.-]",
			name, minTableName, maxTableName)
	}
}

// oneOf checks a member with enumerated values; an empty one stands for the default.
func (c *constraints) oneOf(member, value string, allowed ...string) {
	if value != "" && !slices.Contains(allowed, value) {
		c.failed("Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]", value, member, strings.Join(allowed, ", "))
	}
}

func (c *constraints) returnConsumedCapacity(value string) {
	c.oneOf("returnConsumedCapacity", value, "INDEXES", "TOTAL", "NONE")
}

// present checks a required member.
func (c *constraints) present(member string, is bool) {
	if !is {
		c.failed("Value null at '%s' failed to satisfy constraint: Member must not be null", member)
	}
}
