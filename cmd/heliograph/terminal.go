package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// What others wrote (user ids, bodies, reasons, names) may hold control characters, by which a text could overwrite what
// stands on a terminal, hide a part of itself, or look like several lines. Tables and sentences show such a text by quoted
// or plain. What has to leave as it came, such as a message's body, is escaped only where a terminal would obey it.

// quoted is a text as it is, or as a Go string if a terminal might take a part of it for a command.
func quoted(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// plain is a quoted text that does not fill the terminal either.
func plain(text string) string {
	const most = 300
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "…"
	}
	return quoted(text)
}

// escaped writes control characters, but line breaks and tabs, as JSON does: so JSON stays JSON, and the same value.
func escaped(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(text[i:], "\uFFFD"): // a byte that is no UTF-8
			fmt.Fprintf(&b, `\u%04x`, text[i])
		case obeyed(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// obeyed reports whether a terminal may obey a character instead of showing it.
func obeyed(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// terminal is a terminal to which nothing but its own program gives commands.
type terminal struct{ out io.Writer }

// Write takes whole characters: fmt, tabwriter and encoding/json write no others.
func (t terminal) Write(p []byte) (int, error) {
	if _, err := io.WriteString(t.out, escaped(string(p))); err != nil {
		return 0, fmt.Errorf("write to the terminal: %w", err)
	}
	return len(p), nil
}

// output is where a command writes: a file or pipe gets everything as it is.
func output(file *os.File) io.Writer {
	if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return terminal{file}
	}
	return file
}

// clearScreen empties the screen.
func clearScreen(out io.Writer) {
	if t, ok := out.(terminal); ok {
		out = t.out
	}
	_, _ = io.WriteString(out, "\x1b[H\x1b[2J")
}
