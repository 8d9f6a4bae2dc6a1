package delivery

import (
	"iter"
	"strings"
)

// cursor walks over JSON that is known to be valid, so it has nothing to check.
type cursor struct {
	text string
	at   int
}

// next skips white space and returns the byte behind it, without passing it.
func (c *cursor) next() byte {
	for {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return b
		}
	}
}

// value passes the value that begins here, and returns its text.
func (c *cursor) value() string {
	start, open := c.at, 0
	for {
		switch c.text[c.at] {
		case '"':
			c.passString()
		case '{', '[':
			open++
			c.at++
		case '}', ']':
			open--
			c.at++
		default:
			c.passOther(open > 0)
		}
		if open == 0 {
			return c.text[start:c.at]
		}
	}
}

// passString passes the string that begins here.
func (c *cursor) passString() {
	for c.at++; c.text[c.at] != '"'; c.at++ {
		if c.text[c.at] == '\\' {
			c.at++
		}
	}
	c.at++
}

// passOther passes what is neither string nor bracket: within an object or array one byte of it, else the whole
// number or word, which ends where its member or element does.
func (c *cursor) passOther(within bool) {
	if within {
		c.at++
		return
	}
	c.at += strings.IndexAny(c.text[c.at:], ",}] \t\r\n")
}

// elements are the texts of the elements of an array that is known to be valid.
func elements(array string) iter.Seq[string] {
	return func(yield func(string) bool) {
		c := cursor{text: array}
		for c.at++; c.next() != ']'; {
			if !yield(c.value()) {
				return
			}
			if c.next() == ',' {
				c.at++
			}
		}
	}
}
