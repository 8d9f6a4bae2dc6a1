package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Values of the setting ipAddressType: over which internet protocols clients can reach the APIs.
const (
	ipv4      = "ipv4"
	dualstack = "dualstack" // IPv6, too
)

// declareDomain serves a stage of an API at the root of a custom domain, and returns the address to publish: the
// domain's, or url without a domain.
func declareDomain(d *deployment, name, domain, scheme string, api *apigatewayv2.Api, stage *apigatewayv2.Stage, url pulumi.StringOutput) pulumi.StringOutput {
	if domain == "" {
		return url
	}
	c := d.newComponent("Domain", name)
	defer c.complete()
	served := declare(c, "name", apigatewayv2.NewDomainName, &apigatewayv2.DomainNameArgs{
		DomainName: pulumi.String(domain),
		DomainNameConfiguration: &apigatewayv2.DomainNameDomainNameConfigurationArgs{
			CertificateArn: pulumi.String(d.config.CertificateARN),
			EndpointType:   pulumi.String("REGIONAL"),
			SecurityPolicy: pulumi.String("TLS_1_2"),
			IpAddressType:  pulumi.String(d.config.IPAddressType),
		},
	}, c.guard())
	declare(c, "mapping", apigatewayv2.NewApiMapping, &apigatewayv2.ApiMappingArgs{
		ApiId:      api.ID(),
		DomainName: served.ID(),
		Stage:      stage.Name,
	}, c.guard())
	c.declareRecord("record", "A", domain, served)
	if d.config.IPAddressType == dualstack {
		c.declareRecord("record-v6", "AAAA", domain, served)
	}
	return pulumi.Sprintf("%s://%s", scheme, served.DomainName)
}

// declareRecord leads a domain to its API by a record of type A or AAAA.
func (c *component) declareRecord(name, kind, domain string, served *apigatewayv2.DomainName) {
	declare(c, name, route53.NewRecord, &route53.RecordArgs{
		ZoneId: pulumi.String(c.config.HostedZoneID),
		Name:   pulumi.String(domain),
		Type:   pulumi.String(kind),
		Aliases: route53.RecordAliasArray{&route53.RecordAliasArgs{
			Name:                 served.DomainNameConfiguration.TargetDomainName().Elem(),
			ZoneId:               served.DomainNameConfiguration.HostedZoneId().Elem(),
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, c.guard())
}
