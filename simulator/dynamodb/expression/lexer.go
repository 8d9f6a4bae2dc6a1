package expression

// tokenKind classifies tokens. Keywords are words: only the grammar knows whether "set" is a keyword or an attribute's
// name.
type tokenKind byte

const (
	end         tokenKind = iota
	word                  // an attribute name, a keyword or a function's name
	namePlace             // #name
	valuePlace            // :value
	digits                // a list index
	sign                  // ( ) [ ] . , = < <= <> > >= + -
	invalidRune           // a byte that no token can start with, or a lone # or :
)

type token struct {
	kind tokenKind
	text string
	from int // offset in the expression
}

// lex splits an expression into tokens; the last one is always the end. It never fails: an invalid byte becomes a token
// too, so that the parser can report it in place.
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

// next reads the token at i, which must not be a space.
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

// signAt returns the longest sign at i, so that "<=" is not read as "<", and where it ends.
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

// run returns the end of the run of accepted bytes that starts at i.
func run(text string, i int, in func(byte) bool) int {
	for i < len(text) && in(text[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// isWordByte reports whether c may continue a name or a placeholder. A name without a placeholder must start with a
// letter.
func isWordByte(c byte) bool { return c == '_' || isDigit(c) || isLetter(c) }

// shown returns the token as AWS's syntax errors quote it.
func (t token) shown() string {
	if t.kind == end {
		return `"<EOF>"`
	}
	return `"` + t.text + `"`
}
