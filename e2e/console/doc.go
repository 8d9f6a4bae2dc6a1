// Package console tests the console in a browser, against a local stack of its own whose minutes last a second.
//
// It needs Chromium or Chrome, and axe-core from npm:
//
//	apt-get install chromium
//	make tools
package console
