// Package cloudwatch is the simulated CloudWatch: it keeps the functions' logs, extracts metrics from their embedded
// metric format (EMF) lines as strictly as CloudWatch does, and computes statistics.
package cloudwatch
