package stack

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/apigatewayv2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
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
		},
	}, c.guard())
	declare(c, "mapping", apigatewayv2.NewApiMapping, &apigatewayv2.ApiMappingArgs{
		ApiId:      api.ID(),
		DomainName: served.ID(),
		Stage:      stage.Name,
	}, c.guard())
	declare(c, "record", route53.NewRecord, &route53.RecordArgs{
		ZoneId: pulumi.String(d.config.HostedZoneID),
		Name:   pulumi.String(domain),
		Type:   pulumi.String("A"),
		Aliases: route53.RecordAliasArray{&route53.RecordAliasArgs{
			Name:                 served.DomainNameConfiguration.TargetDomainName().Elem(),
			ZoneId:               served.DomainNameConfiguration.HostedZoneId().Elem(),
			EvaluateTargetHealth: pulumi.Bool(false),
		}},
	}, c.guard())
	return pulumi.Sprintf("%s://%s", scheme, served.DomainName)
}
