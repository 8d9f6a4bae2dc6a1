package alarm

import (
	"math"
	"strings"
	"testing"
)

const retained = State("retained")

// TestMissingData proves the verdicts against every row of the tables of "How alarm state is evaluated when data is
// missing" and "Avoiding premature transitions to alarm state". 0 is good, X is bad, - is missing; the newest is on the
// right.
func TestMissingData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		points                                 string
		m                                      int
		missing, ignore, breaching, notBreachs State
	}{
		{"0 - X - X", 3, OK, OK, OK, OK},
		{"0 - - - -", 3, OK, OK, OK, OK},
		{"- - - - -", 3, InsufficientData, retained, Alarming, OK},
		{"0 X X - X", 3, Alarming, Alarming, Alarming, Alarming},
		{"- - X - -", 3, Alarming, retained, Alarming, OK},
		{"- - - - X", 3, InsufficientData, retained, Alarming, OK}, // "does not go immediately into ALARM state"
		{"- - - X -", 3, InsufficientData, retained, Alarming, OK},
		{"- - - X 0", 3, OK, OK, OK, OK}, // "when the next data point is non-breaching"
		{"- - X - 0", 3, OK, OK, OK, OK},
		{"X - - - -", 3, Alarming, retained, Alarming, OK},

		{"0 - X - X", 2, Alarming, Alarming, Alarming, Alarming},
		{"0 0 X 0 X", 2, Alarming, Alarming, Alarming, Alarming},
		{"0 - X - -", 2, OK, OK, Alarming, OK},
		{"- - - - 0", 2, OK, OK, Alarming, OK},
		{"- - - X -", 2, Alarming, retained, Alarming, OK},
		{"- - - - X", 2, InsufficientData, retained, Alarming, OK},
		{"- - - X X", 2, Alarming, Alarming, Alarming, Alarming}, // enough bad ones, whatever is missing
	} {
		for missing, want := range map[string]State{
			"missing": tt.missing, "ignore": tt.ignore, "breaching": tt.breaching, "notBreaching": tt.notBreachs,
		} {
			v := judge(row(tt.points), tt.m, 3, missing)
			got := v.state
			if v.retain {
				got = retained
			}
			if got != want {
				t.Errorf("%s, %d of 3, missing is %s: %s, want %s", tt.points, tt.m, missing, got, want)
			}
		}
	}
}

func row(text string) []Datapoint {
	var points []Datapoint
	for _, word := range strings.Fields(text) {
		p := Datapoint{Breaching: word == "X"}
		if word == "-" {
			p.Value = math.NaN()
		}
		points = append(points, p)
	}
	return points
}

func TestNewestRealDatapointsDecide(t *testing.T) {
	t.Parallel()
	points := row("X X 0 - 0 0")
	if v := judge(points, 1, 3, "breaching"); v.state != OK || v.counted != 3 || v.filled != 0 {
		t.Errorf("%+v", v)
	}
	counted := ""
	for _, p := range points {
		counted += map[bool]string{true: "c", false: "."}[p.Counted]
	}
	if counted != "..c.cc" {
		t.Errorf("these decided: %s", counted)
	}
}
