package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// Text from outside (user ids, bodies, reasons, names) may contain control characters, which could overwrite the
// screen, hide part of the text, or make it look like several lines. Tables and sentences print such text through
// quoted or plain. Output that must stay byte for byte, such as a message's body, is escaped only when it goes to a
// terminal.

// quoted returns a text unchanged, or as a Go string literal if a terminal might obey part of it.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// plain shortens a long text, so that it cannot fill the terminal, and quotes it.
func plain(text string) string {
	const most = 300
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return quoted(text)
}

// escaped writes control characters other than line breaks and tabs as JSON escapes, so that JSON keeps its value.
func escaped(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(text[i:], "\uFFFD"): // a byte that is not valid UTF-8
			fmt.Fprintf(&b, `\u%04x`, text[i])
		case obeyed(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// obeyed reports whether a terminal may act on a character instead of showing it.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// terminal writes to a terminal, escaping control characters so that only the program itself can command it.
type terminal struct{ out io.Writer }

// Write expects whole characters, which is how fmt, tabwriter and encoding/json write.
func (t terminal) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.out, escaped(string(p))); err != nil {
		return 0, fmt.Errorf("write to the terminal: %w", err)
	}
	return len(p), nil
}

// output returns the writer for a command's output: a file or pipe receives it unchanged.
func output(file *os.File) io.Writer {
	if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return terminal{file}
	}
	return file
}

// clearScreen clears the screen.
func clearScreen(out io.Writer) {
	if t, ok := out.(terminal); ok {
		out = t.out
	}
	_, _ = io.WriteString(out, "\x1b[H\x1b[2J")
}
