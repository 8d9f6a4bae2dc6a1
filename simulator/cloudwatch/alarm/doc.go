// Package alarm evaluates alarms as CloudWatch documents it: m of n, missing data and its evaluation range, metric
// math, anomaly bands, composites with action suppression, and the notifications of state changes.
//
// An Engine holds the alarms of a stack. Run evaluates them by the clock, Evaluate at a given time.
package alarm
