package message

import (
	"iter"
	"strings"
)

// scanner walks over JSON that is already known to be valid, so it checks nothing.
type scanner struct {
	text string
	at   int
}

// next skips white space and returns the next byte without consuming it.
func (s *scanner) next() byte {
	for {
		switch b := s.text[s.at]; b {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return b
		}
	}
}

// value consumes the value that begins here, and returns its text.
func (s *scanner) value() string {
	start, open := s.at, 0
	for {
		switch s.text[s.at] {
		case '"':
			s.passString()
		case '{', '[':
			open++
			s.at++
		case '}', ']':
			open--
			s.at++
		default:
			s.passOther(open > 0)
		}
		if open == 0 {
			return s.text[start:s.at]
		}
	}
}

// passString consumes the string that begins here.
func (s *scanner) passString() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// passOther consumes anything but a string or a bracket: one byte inside an object or array; outside, the whole
// number or word, which ends with its member or element.
func (s *scanner) passOther(inside bool) {
	if inside {
		s.at++
		return
	}
	s.at += strings.IndexAny(s.text[s.at:], ",}] \t\r\n")
}

// elements yields the texts of the elements of an array that is known to be valid.
func elements(array string) iter.Seq[string] {
	return func(yield func(string) bool) {
		s := scanner{text: array}
		for s.at++; s.next() != ']'; {
			if !yield(s.value()) {
				return
			}
			if s.next() == ',' {
				s.at++
			}
		}
	}
}
