package commands

import "strings"

// scanner splits a line as a shell would, as far as the pages need it: quotes, backslashes, comments, substitutions by
// $(…), and the signs that join and redirect commands.
type scanner struct {
	rest     string
	commands [][]string
	open     bool // the line ends within quotes or a substitution

	words  []string
	word   strings.Builder
	within bool // a word has begun
	skip   bool // the next word is where a command's output goes
}

func (s *scanner) next() (c byte) {
	c, s.rest = s.rest[0], s.rest[1:]
	return c
}

// scan reads commands up to the end, or to the parenthesis that closes a substitution.
func (s *scanner) scan() {
	for s.rest != "" {
		switch c := s.next(); {
		case c == ')' && !strings.HasSuffix(s.word.String(), "("):
			s.endCommand()
			return
		case c == ' ' || c == '\n':
			s.endWord()
		case c == '#' && !s.within:
			_, s.rest, _ = strings.Cut(s.rest, "\n")
		case strings.IndexByte("|&;{", c) >= 0 && (c != '{' || !s.within):
			s.endCommand()
		case c == '\\' && strings.HasPrefix(s.rest, "\n"): // the line goes on
			s.next()
			s.endWord()
		case c == '<' || c == '>':
			s.redirect()
		default:
			s.part(c)
		}
	}
	s.endCommand()
}

// part adds to a word what a character begins.
func (s *scanner) part(c byte) {
	s.within = true
	switch {
	case c == '\'':
		text, rest, closed := strings.Cut(s.rest, "'")
		s.word.WriteString(text)
		s.rest, s.open = rest, s.open || !closed
	case c == '"':
		s.quoted()
	case c == '\\' && s.rest != "":
		s.word.WriteByte(s.next())
	case c == '$' && strings.HasPrefix(s.rest, "("):
		s.substitute()
	default:
		s.word.WriteByte(c)
	}
}

func (s *scanner) quoted() {
	for s.rest != "" {
		switch c := s.next(); {
		case c == '"':
			return
		case c == '\\' && s.rest != "" && strings.IndexByte("\"\\$`", s.rest[0]) >= 0:
			s.word.WriteByte(s.next())
		case c == '$' && strings.HasPrefix(s.rest, "("):
			s.substitute()
		default:
			s.word.WriteByte(c)
		}
	}
	s.open = true
}

// substitute reads the commands of a $(…); its value is unknown, and stands in the word as $().
func (s *scanner) substitute() {
	inner := scanner{rest: s.rest[1:]}
	inner.scan()
	s.commands, s.rest, s.open = append(s.commands, inner.commands...), inner.rest, s.open || inner.open
	s.word.WriteString("$()")
}

// redirect leaves out a redirection: the number before its sign, and the file after it.
func (s *scanner) redirect() {
	if number := s.word.String(); number == "1" || number == "2" {
		s.word.Reset()
		s.within = false
	}
	s.endWord()
	s.skip = true
}

func (s *scanner) endWord() {
	if s.within && !s.skip {
		s.words = append(s.words, s.word.String())
	}
	s.skip = s.skip && !s.within
	s.word.Reset()
	s.within = false
}

func (s *scanner) endCommand() {
	s.endWord()
	if len(s.words) > 0 {
		s.commands = append(s.commands, s.words)
	}
	s.words = nil
}
