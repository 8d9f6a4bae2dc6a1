package cloud

// elsewhere points to an alternative for a service that has no API here.
func (c *Cloud) elsewhere(service string) string {
	console := c.EndpointURL() + ConsolePath
	switch service {
	case "logs":
		return "logs are on the console, " + console
	case "xray":
		return "traces are on the console, " + console
	case "lambda", "apigateway", "iam", "events", "cloudformation", "kms":
		return "its resources are what the running Pulumi program declares, and the console shows what they do, " + console
	case "execute-api":
		return "call the API at its own address, and @connections below this one or the API's"
	case "sts":
		return "the caller is the role that the access key belongs to, or a person, who has the key of this run"
	}
	return ""
}
