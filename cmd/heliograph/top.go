package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// topCommand shows the lines of the stack's dashboard, refreshed until it is interrupted.
type topCommand struct {
	Once  bool          `help:"Print the figures once and end."`
	All   bool          `help:"Include metrics without a value."`
	Every time.Duration `default:"2s" help:"How often to look."`
	Range int           `default:"15" name:"minutes" help:"How many minutes the small graphs cover."`
}

func (topCommand) Help() string {
	return `Shows the lines of the dashboard with their last values, under the alarms that fire and the faults that are on. It reads a
local stack.

Examples:
  heliograph top
  heliograph top --once --minutes 5`
}

// Validate is called by kong.
func (c *topCommand) Validate() error {
	if c.Every < 100*time.Millisecond {
		return fmt.Errorf("--every is %v; it must be at least 100ms", c.Every)
	}
	return nil
}

func (c *topCommand) Run(ctx context.Context, w world, line *commands) error {
	t, err := line.target(ctx)
	if err != nil {
		return err
	}
	for {
		figures, err := readFigures(ctx, t, c.Range)
		if err != nil {
			return err
		}
		if !c.Once {
			clearScreen(w.stdout)
		}
		if figures.print(w.stdout, c.All); c.Once {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

// figures is the data that top shows: the stack's pulse and its dashboard.
type figures struct {
	pulse struct {
		Firing, Faults, Problems []string
		Alarms, Connections      int
	}
	board struct {
		Name    string
		Widgets []struct {
			Type, Title string
			Lines       []figure
		}
	}
}

type figure struct {
	Label  string
	Values []*float64
}

// readFigures reads the pulse and the dashboard from the local stack.
func readFigures(ctx context.Context, t *target, minutes int) (figures, error) {
	var f figures
	if err := t.ask(ctx, "/_heliograph/pulse", &f.pulse); err != nil {
		return f, err
	}
	return f, t.ask(ctx, fmt.Sprintf("/_heliograph/dashboard?minutes=%d", minutes), &f.board)
}

func (f figures) print(out io.Writer, all bool) {
	fmt.Fprintf(out, "%s   %d connections   %d of %d alarms firing\n", quoted(f.board.Name), f.pulse.Connections, len(f.pulse.Firing), f.pulse.Alarms)
	for _, told := range []struct {
		mark  string
		texts []string
	}{{"▲ ALARM  ", f.pulse.Firing}, {"◆ fault  ", f.pulse.Faults}, {"! ", f.pulse.Problems}} {
		for _, text := range told.texts {
			fmt.Fprintln(out, told.mark+quoted(text))
		}
	}
	for _, widget := range f.board.Widgets {
		var rows []string
		for _, l := range widget.Lines {
			if last, ok := l.last(); ok || all {
				rows = append(rows, fmt.Sprintf("  %-34.34s %10s  %s", quoted(l.Label), last, l.sparkline()))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(out, "\n%s\n%s\n", quoted(widget.Title), strings.Join(rows, "\n"))
		}
	}
}

// last returns the newest value.
func (f figure) last() (text string, ok bool) {
	for i := len(f.Values) - 1; i >= 0; i-- {
		if f.Values[i] != nil {
			return fmt.Sprintf("%.4g", *f.Values[i]), true
		}
	}
	return "-", false
}

// sparkline draws the values on a scale from 0 to the largest, one character each; a period without a value is a
// space.
func (f figure) sparkline() string {
	top := 0.0
	for _, v := range f.Values {
		if v != nil {
			top = math.Max(top, *v)
		}
	}
	bars := []rune("▁▂▃▄▅▆▇█")
	var text strings.Builder
	for _, v := range f.Values[max(0, len(f.Values)-60):] {
		switch {
		case v == nil:
			text.WriteRune(' ')
		case top == 0 || *v <= 0:
			text.WriteRune(bars[0])
		default:
			text.WriteRune(bars[min(len(bars)-1, int(*v/top*float64(len(bars))))])
		}
	}
	return text.String()
}
