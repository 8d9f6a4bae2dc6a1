package main

import "slices"

// place is where the stacks live, and what this program made for them.
type place struct {
	partition, region, account string
	bucket                     string // of the state
	stateKey                   string // ARN of the key that encrypts the bucket
}

func (p place) arn(service, resource string) string {
	return "arn:" + p.partition + ":" + service + ":" + p.region + ":" + p.account + ":" + resource
}

// object is the ARN of objects in the state's bucket.
func (p place) object(key string) string {
	return "arn:" + p.partition + ":s3:::" + p.bucket + "/.pulumi/" + key
}

func allow(actions []string, resources ...string) statement {
	return statement{Effect: "Allow", Action: actions, Resource: resources}
}

func deny(actions []string, resources ...string) statement {
	return statement{Effect: "Deny", Action: actions, Resource: resources}
}

// readsState lets a role read the state of some stacks, whose secrets are encrypted once more.
func (p place) readsState(stack string) []statement {
	return []statement{
		allow([]string{"s3:ListBucket"}, "arn:"+p.partition+":s3:::"+p.bucket),
		allow([]string{"s3:GetObject"}, p.object("meta.yaml"), p.object("stacks/heliograph/"+stack+".json*")),
		allow([]string{"kms:Decrypt"}, p.stateKey),
		// The program's look-ups. Region and partition are known to the provider; the third is below.
		allow([]string{"sts:GetCallerIdentity"}, "*"),
		allow([]string{"apigateway:GET"}, "arn:"+p.partition+":apigateway:"+p.region+"::/account"),
	}
}

// writesState lets a role update one stack's state: it, its lock, its history.
func (p place) writesState(stack string) []statement {
	return []statement{
		allow([]string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
			p.object("stacks/heliograph/"+stack+".json*"), p.object("locks/organization/heliograph/"+stack+"/*"),
			p.object("history/heliograph/"+stack+"/*"), p.object("backups/heliograph/"+stack+"/*")),
		allow([]string{"kms:GenerateDataKey"}, p.stateKey),
	}
}

// decrypts lets a role read the secrets in one stack's configuration and state.
func decrypts(key string) statement { return allow([]string{"kms:Decrypt"}, key) }

// previewPolicy is that of jobs that run a pull request's code. It denies what would show a secret or a message, so that
// a policy that is attached later, such as ReadOnlyAccess, does not show them either.
func (p place) previewPolicy(secretsKeys []string) string {
	return document(append(p.readsState("*"),
		deny([]string{"kms:Decrypt"}, secretsKeys...),
		deny([]string{
			"ssm:GetParameter*", "secretsmanager:GetSecretValue", "sqs:ReceiveMessage", "lambda:GetFunction", "lambda:InvokeFunction",
			"dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan", "dynamodb:GetRecords", "dynamodb:PartiQL*",
			"logs:GetLogEvents", "logs:FilterLogEvents", "logs:StartQuery", "logs:GetQueryResults", "logs:StartLiveTail",
		}, "*")))
}

// driftPolicy is that of the daily comparison, which reads all that a stack has made.
func (p place) driftPolicy(stack string, s stackSettings, key string) string {
	statements := append(p.readsState(stack), decrypts(key))
	for _, a := range p.reaches(stack, s) {
		if len(a.read) > 0 {
			statements = append(statements, allow(a.read, a.on...))
		}
	}
	return document(statements)
}

// deployPolicy is that of `pulumi up`.
func (p place) deployPolicy(stack string, s stackSettings, key string) string {
	statements := append(append(p.readsState(stack), p.writesState(stack)...), decrypts(key))
	for _, a := range p.reaches(stack, s) {
		statements = append(statements, allow(slices.Concat(a.read, a.write), a.on...))
	}
	return document(statements)
}

// testPolicy is that of the end-to-end tests: they make tokens, send and receive messages, and read the table.
func (p place) testPolicy(stack string, s stackSettings) string {
	name := "heliograph-" + stack
	return document([]statement{
		allow([]string{"ssm:GetParameter"}, p.arn("ssm", "parameter"+s.ParameterPrefix+"/JwtSecret")),
		allow([]string{"sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}, p.arn("sqs", name+"-*")),
		allow([]string{"sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:DeleteMessage"},
			p.arn("sqs", "e2e-*")),
		allow([]string{"sns:Subscribe", "sns:Unsubscribe"}, p.arn("sns", name+"-*")),
		allow([]string{"dynamodb:Query", "dynamodb:GetItem"}, p.arn("dynamodb", "table/"+name), p.arn("dynamodb", "table/"+name+"/index/*")),
	})
}
