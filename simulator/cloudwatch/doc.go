// Package cloudwatch is the simulated CloudWatch: it keeps the functions' logs, takes metrics out of their
// embedded metric format (EMF) lines as strictly as CloudWatch does, and answers statistics.
package cloudwatch
