package gateway

import (
	"encoding/json"
	"regexp"
	"strings"
)

// Mapping templates are written in VTL. The simulator accepts only plain text, without directives or references;
// anything else is refused at creation.
var vtl = regexp.MustCompile(`\$[!{A-Za-z]|#[#*{@A-Za-z]`)

func checkTemplate(text string) error {
	if found := vtl.FindString(text); found != "" {
		return badRequest("the template %q has %q; the simulator knows texts without directives and references only", text, found)
	}
	return nil
}

// chooseTemplate returns the template that a selection expression chooses. The simulator supports constant expressions
// only: a key, with or without a backslash before a leading dollar. An empty expression means "$default".
func chooseTemplate(templates map[string]string, expression string) (string, error) {
	for _, text := range templates {
		if err := checkTemplate(text); err != nil {
			return "", err
		}
	}
	key := strings.TrimPrefix(expression, `\`)
	setDefault(&key, "$default")
	text, ok := templates[key]
	if !ok && len(templates) > 0 {
		return "", badRequest("the template selection expression %q chooses none of the templates", expression)
	}
	return text, nil
}

// checkMock requires the one thing a MOCK integration does: a request template that sets a status.
func checkMock(c IntegrationConfig) error {
	if c.URI != "" || c.Method != "" && c.Method != "POST" {
		return badRequest("a MOCK integration has neither a URI nor a method")
	}
	_, err := mockStatus(c)
	return err
}

func mockStatus(c IntegrationConfig) (int, error) {
	text, err := chooseTemplate(c.RequestTemplates, c.TemplateSelectionExpression)
	if err != nil {
		return 0, err
	}
	var said struct{ StatusCode int }
	if err := json.Unmarshal([]byte(text), &said); err != nil || said.StatusCode < 100 || said.StatusCode > 599 {
		return 0, badRequest("the request template %q of a MOCK integration is no JSON with a statusCode", text)
	}
	return said.StatusCode, nil
}
