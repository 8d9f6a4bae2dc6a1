package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// bootstrap is what the steps of the program share.
type bootstrap struct {
	*pulumi.Context
	settings
	place
}

// program declares everything and exports the variables that the workflows need, by their names on GitHub.
func program(ctx *pulumi.Context) error {
	b := &bootstrap{Context: ctx}
	var err error
	if b.settings, err = loadSettings(ctx); err != nil {
		return err
	}
	if b.place, err = lookUp(ctx); err != nil {
		return err
	}
	stateKey, err := b.declareKey("state", "Encrypts the state of Heliograph's stacks")
	if err != nil {
		return err
	}
	if err := b.declareBucket(stateKey); err != nil {
		return err
	}
	provider, err := b.declareProvider()
	if err != nil {
		return err
	}
	ctx.Export("AWS_REGION", pulumi.String(b.region))
	ctx.Export("PULUMI_BACKEND_URL", pulumi.String("s3://"+b.bucket))
	return b.declareRoles(provider, stateKey)
}

func lookUp(ctx *pulumi.Context) (place, error) {
	region, err := aws.GetRegion(ctx, nil)
	if err != nil {
		return place{}, fmt.Errorf("looking up the AWS Region: %w", err)
	}
	caller, err := aws.GetCallerIdentity(ctx, nil)
	if err != nil {
		return place{}, fmt.Errorf("looking up the AWS account: %w", err)
	}
	partition, err := aws.GetPartition(ctx, nil)
	if err != nil {
		return place{}, fmt.Errorf("looking up the AWS partition: %w", err)
	}
	return place{
		partition: partition.Partition, region: region.Name, account: caller.AccountId,
		bucket: "heliograph-state-" + caller.AccountId + "-" + region.Name,
	}, nil
}

// roleName begins with heliograph-ci, so that no stack's deploy role reaches it: a stack can't be named ci.
func (b *bootstrap) roleName(name string) string { return "heliograph-ci-" + b.region + "-" + name }

// declareKey declares a key and its alias. Whoever loses it loses what it encrypted, so it is protected.
func (b *bootstrap) declareKey(name, description string) (*kms.Key, error) {
	key, err := kms.NewKey(b.Context, name+"-key", &kms.KeyArgs{
		Description: pulumi.String(description), EnableKeyRotation: pulumi.Bool(true), Policy: pulumi.String(b.keyPolicy()),
	}, pulumi.Protect(true))
	if err != nil {
		return nil, err
	}
	_, err = kms.NewAlias(b.Context, name+"-alias", &kms.AliasArgs{Name: pulumi.String("alias/heliograph-" + name), TargetKeyId: key.KeyId})
	return key, err
}

// keyPolicy leaves a key to the account's IAM policies, except that no role of GitHub Actions may change the key itself.
func (b *bootstrap) keyPolicy() string {
	root := "arn:" + b.partition + ":iam::" + b.account
	owned := allow([]string{"kms:*"}, "*")
	owned.Principal = map[string]string{"AWS": root + ":root"}
	kept := deny([]string{"kms:Put*", "kms:Update*", "kms:Disable*", "kms:Delete*", "kms:Schedule*", "kms:CreateGrant", "kms:*Tag*"}, "*")
	kept.Principal = map[string]string{"AWS": "*"}
	kept.Condition = conditions{"ArnLike": {"aws:PrincipalArn": {root + ":role/" + b.roleName("*")}}}
	return document([]statement{owned, kept})
}

// declareBucket declares the state's bucket: old versions are kept for 90 days, and nothing in it is ever public.
func (b *bootstrap) declareBucket(key *kms.Key) error {
	bucket, err := s3.NewBucketV2(b.Context, "state", &s3.BucketV2Args{Bucket: pulumi.String(b.bucket)}, pulumi.Protect(true))
	if err != nil {
		return err
	}
	versioning, err := s3.NewBucketVersioningV2(b.Context, "state-versioning", &s3.BucketVersioningV2Args{
		Bucket:                  bucket.ID(),
		VersioningConfiguration: &s3.BucketVersioningV2VersioningConfigurationArgs{Status: pulumi.String("Enabled")},
	})
	if err != nil {
		return err
	}
	_, err = s3.NewBucketLifecycleConfigurationV2(b.Context, "state-lifecycle", &s3.BucketLifecycleConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketLifecycleConfigurationV2RuleArray{&s3.BucketLifecycleConfigurationV2RuleArgs{
			Id: pulumi.String("old-versions"), Status: pulumi.String("Enabled"), Filter: &s3.BucketLifecycleConfigurationV2RuleFilterArgs{},
			NoncurrentVersionExpiration: &s3.BucketLifecycleConfigurationV2RuleNoncurrentVersionExpirationArgs{NoncurrentDays: pulumi.Int(90)},
		}},
	}, pulumi.DependsOn([]pulumi.Resource{versioning}))
	if err != nil {
		return err
	}
	return b.closeBucket(bucket, key)
}

// closeBucket encrypts the bucket, and keeps it from everyone but the account, over TLS.
func (b *bootstrap) closeBucket(bucket *s3.BucketV2, key *kms.Key) error {
	_, err := s3.NewBucketServerSideEncryptionConfigurationV2(b.Context, "state-encryption", &s3.BucketServerSideEncryptionConfigurationV2Args{
		Bucket: bucket.ID(),
		Rules: s3.BucketServerSideEncryptionConfigurationV2RuleArray{&s3.BucketServerSideEncryptionConfigurationV2RuleArgs{
			BucketKeyEnabled: pulumi.Bool(true),
			ApplyServerSideEncryptionByDefault: &s3.BucketServerSideEncryptionConfigurationV2RuleApplyServerSideEncryptionByDefaultArgs{
				SseAlgorithm: pulumi.String("aws:kms"), KmsMasterKeyId: key.Arn,
			},
		}},
	})
	if err != nil {
		return err
	}
	yes := pulumi.Bool(true)
	private, err := s3.NewBucketPublicAccessBlock(b.Context, "state-private", &s3.BucketPublicAccessBlockArgs{
		Bucket: bucket.ID(), BlockPublicAcls: yes, BlockPublicPolicy: yes, IgnorePublicAcls: yes, RestrictPublicBuckets: yes,
	})
	if err != nil {
		return err
	}
	plain := deny([]string{"s3:*"}, "arn:"+b.partition+":s3:::"+b.bucket, "arn:"+b.partition+":s3:::"+b.bucket+"/*")
	plain.Principal = map[string]string{"AWS": "*"}
	plain.Condition = conditions{"Bool": {"aws:SecureTransport": {"false"}}}
	_, err = s3.NewBucketPolicy(b.Context, "state-policy", &s3.BucketPolicyArgs{
		Bucket: bucket.ID(), Policy: pulumi.String(document([]statement{plain})),
	}, pulumi.DependsOn([]pulumi.Resource{private}))
	return err
}

// declareProvider declares GitHub's identity provider, unless the account has it already.
func (b *bootstrap) declareProvider() (pulumi.StringOutput, error) {
	if b.provider != "" {
		return pulumi.String(b.provider).ToStringOutput(), nil
	}
	p, err := iam.NewOpenIdConnectProvider(b.Context, "github", &iam.OpenIdConnectProviderArgs{
		Url: pulumi.String("https://" + issuer), ClientIdLists: pulumi.ToStringArray([]string{"sts.amazonaws.com"}),
	}, pulumi.Protect(true))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	return p.Arn, nil
}

// role is one role, the jobs that may assume it, and what it may do once all keys are known.
type role struct {
	name, variable   string
	environment, ref string
	policy           func(p place, secretsKeys map[string]string) string
}

// roles lists the roles: one for previews of all stacks, two or three for each stack.
func (s settings) roles() []role {
	names := slices.Sorted(maps.Keys(s.stacks))
	all := []role{{"preview", "AWS_PREVIEW_ROLE", "preview", onPullRequest, func(p place, keys map[string]string) string {
		return p.previewPolicy(slices.Sorted(maps.Values(keys)))
	}}}
	for _, name := range names {
		stack, suffix := s.stacks[name], strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		all = append(all, role{"deploy-" + name, "AWS_DEPLOY_ROLE_" + suffix, name, onMain, func(p place, keys map[string]string) string {
			return p.deployPolicy(name, stack, keys[name])
		}}, role{"drift-" + name, "AWS_DRIFT_ROLE_" + suffix, name + "-drift", onMain, func(p place, keys map[string]string) string {
			return p.driftPolicy(name, stack, keys[name])
		}})
		if stack.Tested {
			all = append(all, role{"test-" + name, "AWS_TEST_ROLE_" + suffix, name + "-test", onMain, func(p place, _ map[string]string) string {
				return p.testPolicy(name, stack)
			}})
		}
	}
	return all
}

// declareRoles declares each stack's secrets key, and all roles.
func (b *bootstrap) declareRoles(provider pulumi.StringOutput, stateKey *kms.Key) error {
	keys := pulumi.StringMap{}
	for _, name := range slices.Sorted(maps.Keys(b.stacks)) {
		key, err := b.declareKey(name, "Encrypts the secrets of Heliograph's stack "+name)
		if err != nil {
			return err
		}
		keys[name] = key.Arn
		b.Export("secretsProvider-"+name, pulumi.String("awskms://alias/heliograph-"+name+"?region="+b.region))
	}
	for _, r := range b.roles() {
		if err := b.declareRole(r, provider, stateKey.Arn, keys.ToStringMapOutput()); err != nil {
			return err
		}
	}
	return nil
}

func (b *bootstrap) declareRole(r role, provider, stateKey pulumi.StringOutput, keys pulumi.StringMapOutput) error {
	trusted := provider.ApplyT(func(arn string) string { return b.trust(arn, r.environment, r.ref) }).(pulumi.StringOutput)
	made, err := iam.NewRole(b.Context, r.name, &iam.RoleArgs{
		Name:             pulumi.String(b.roleName(r.name)),
		Description:      pulumi.String("GitHub Actions of " + b.repository + ", environment " + r.environment),
		AssumeRolePolicy: trusted,
	})
	if err != nil {
		return err
	}
	policy := pulumi.All(stateKey, keys).ApplyT(func(known []any) string {
		p := b.place
		p.stateKey = known[0].(string)
		return r.policy(p, known[1].(map[string]string))
	}).(pulumi.StringOutput)
	_, err = iam.NewRolePolicy(b.Context, r.name+"-policy", &iam.RolePolicyArgs{Role: made.Name, Name: pulumi.String("heliograph"), Policy: policy})
	b.Export(r.variable, made.Arn)
	return err
}
