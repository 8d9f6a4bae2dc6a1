package expression

// tokenKind tells names, placeholders, numbers and signs apart.
type tokenKind byte

const (
	end         tokenKind = iota
	word                  // an attribute name, a keyword or a function's name
	namePlace             // #name
	valuePlace            // :value
	digits                // a list index
	sign                  // ( ) [ ] . , = < <= <> > >= + -
	invalidRune           // what no expression may hold
)

type token struct {
	kind tokenKind
	text string
	from int // offset in the expression
}

// lex splits an expression into tokens; the last one is always the end.
func lex(text string) []token {
	var tokens []token
	for i := 0; ; {
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		t := next(text, i)
		tokens = append(tokens, t)
		if t.kind == end {
			return tokens
		}
		i += len(t.text)
	}
}

func next(text string, i int) token {
	if i == len(text) {
		return token{kind: end, from: i}
	}
	take := func(kind tokenKind, j int) token { return token{kind: kind, text: text[i:j], from: i} }
	switch c := text[i]; {
	case c == '#' || c == ':':
		kind := namePlace
		if c == ':' {
			kind = valuePlace
		}
		if j := run(text, i+1, isWordByte); j > i+1 {
			return take(kind, j)
		}
		return take(invalidRune, i+1)
	case isDigit(c):
		return take(digits, run(text, i, isDigit))
	case isLetter(c):
		return take(word, run(text, i, isWordByte))
	}
	return take(signAt(text, i))
}

// signAt takes the longest sign.
func signAt(text string, i int) (tokenKind, int) {
	if i+1 < len(text) {
		switch text[i : i+2] {
		case "<=", "<>", ">=":
			return sign, i + 2
		}
	}
	switch text[i] {
	case '(', ')', '[', ']', '.', ',', '=', '<', '>', '+', '-':
		return sign, i + 1
	}
	return invalidRune, i + 1
}

func run(text string, i int, in func(byte) bool) int {
	for i < len(text) && in(text[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// isWordByte holds for all but the first byte of a name, and for all of a placeholder's.
func isWordByte(c byte) bool { return c == '_' || isDigit(c) || isLetter(c) }

// shown is the token as a syntax error shows it.
func (t token) shown() string {
	if t.kind == end {
		return `"<EOF>"`
	}
	return `"` + t.text + `"`
}
