package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	pages "heliograph/docs/commands"
)

// own returns the arguments of a command of ours, however a page calls it.
func own(c pages.Command) (arguments []string, is bool) {
	for _, begin := range [][]string{{"heliograph"}, {"go", "run", "./cmd/heliograph"}} {
		if len(c.Words) >= len(begin) && slices.Equal(c.Words[:len(begin)], begin) {
			return c.Words[len(begin):], true
		}
	}
	return nil, false
}

// TestPages proves that each command line of ours that a page shows is one that the program takes: its commands, flags and
// values exist, and a line that is to be copied has all that it needs.
func TestPages(t *testing.T) {
	t.Parallel()
	shown, err := pages.Read("../..")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range shown {
		arguments, is := own(c)
		if !is {
			continue
		}
		n++
		if err := understood(arguments, c.Whole); err != nil {
			t.Errorf("%s:%d shows `heliograph %s`: %v", c.Page, c.Line, strings.Join(arguments, " "), err)
		}
	}
	if n < 50 {
		t.Errorf("only %d command lines were found", n)
	}
}

// understood reports what is wrong with a command line; one that is not whole may lack arguments.
func understood(arguments []string, whole bool) error {
	parser := kong.Must(&commands{}, kong.Name("heliograph"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
	if !whole {
		trace, err := kong.Trace(parser, arguments)
		if err == nil && trace.Error != nil { // its last flag may lack a value
			trace, err = kong.Trace(parser, append(slices.Clone(arguments), "1"))
		}
		if err != nil {
			return err
		}
		return trace.Error
	}
	command, err := parser.Parse(arguments)
	if err != nil {
		return err
	}
	return noneEmpty(command)
}

// TestUnderstood proves that a wrong command line is one.
func TestUnderstood(t *testing.T) {
	t.Parallel()
	for arguments, want := range map[string]struct{ whole, inSentence bool }{
		"send --user 1 text":        {true, true},
		"send":                      {false, true},
		"fault add":                 {false, true},
		"send --group":              {false, true},
		"fault ad sns --down":       {false, false},
		"online --no-such":          {false, false},
		"load --rate many":          {false, false},
		"local 1":                   {false, false},
		"dlq redrive --all --rate=": {false, false},
	} {
		if err := understood(strings.Fields(arguments), true); (err == nil) != want.whole {
			t.Errorf("heliograph %s, to be copied: %v", arguments, err)
		}
		if err := understood(strings.Fields(arguments), false); (err == nil) != want.inSentence {
			t.Errorf("heliograph %s, in a sentence: %v", arguments, err)
		}
	}
}
