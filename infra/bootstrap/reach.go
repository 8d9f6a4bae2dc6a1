package main

import "slices"

// access is what `pulumi up` does to one kind of resource: read to compare, write to change.
type access struct{ read, write, on []string }

// reaches lists all that a stack consists of, by the names that infra/stack gives. What has an id instead of a name, an
// API or an event source mapping, can't be told from another stack's: an account per stack is what separates those.
func (p place) reaches(stack string, s stackSettings) []access {
	all := slices.Concat(p.holdsState(stack, s), p.carries(stack), p.runs(stack), p.starts(stack), p.serves(), p.watches(stack))
	if s.AlarmKey {
		all = append(all, p.alarmKeys())
	}
	if s.HostedZoneID != "" {
		all = append(all, access{
			read:  []string{"route53:GetHostedZone", "route53:ListResourceRecordSets", "route53:GetChange"},
			write: []string{"route53:ChangeResourceRecordSets"},
			on:    []string{"arn:" + p.partition + ":route53:::hostedzone/" + s.HostedZoneID, "arn:" + p.partition + ":route53:::change/*"},
		})
	}
	return all
}

// holdsState is the table and the parameters.
func (p place) holdsState(stack string, s stackSettings) []access {
	name := "heliograph-" + stack
	return []access{
		{
			read: []string{"dynamodb:DescribeTable", "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"},
			write: []string{
				"dynamodb:CreateTable", "dynamodb:UpdateTable", "dynamodb:DeleteTable", "dynamodb:UpdateContinuousBackups",
				"dynamodb:UpdateTimeToLive", "dynamodb:TagResource", "dynamodb:UntagResource",
			},
			on: []string{p.arn("dynamodb", "table/"+name)},
		},
		{
			read:  []string{"ssm:GetParameter", "ssm:GetParameters", "ssm:ListTagsForResource"},
			write: []string{"ssm:PutParameter", "ssm:DeleteParameter", "ssm:AddTagsToResource", "ssm:RemoveTagsFromResource"},
			on: []string{
				p.arn("ssm", "parameter"+s.ParameterPrefix+"/JwtSecret*"), p.arn("ssm", "parameter"+s.ParameterPrefix+"/SendMessageQueueUrl"),
				p.arn("ssm", "parameter"+s.ParameterPrefix+"/EventBusEndpoint"),
			},
		},
		{read: []string{"ssm:DescribeParameters", "logs:DescribeLogGroups"}, on: []string{"*"}}, // they know no resources
	}
}

// carries is the queues and topics.
func (p place) carries(stack string) []access {
	name := "heliograph-" + stack
	return []access{
		{
			read:  []string{"sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"},
			write: []string{"sqs:CreateQueue", "sqs:SetQueueAttributes", "sqs:DeleteQueue", "sqs:TagQueue", "sqs:UntagQueue"},
			on:    []string{p.arn("sqs", name+"-*")},
		},
		{
			read: []string{"sns:GetTopicAttributes", "sns:ListTagsForResource", "sns:GetSubscriptionAttributes", "sns:ListSubscriptionsByTopic"},
			write: []string{
				"sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic", "sns:TagResource", "sns:UntagResource",
				"sns:Subscribe", "sns:Unsubscribe", "sns:SetSubscriptionAttributes",
			},
			on: []string{p.arn("sns", name+"-*")},
		},
	}
}

// runs is the functions and their event sources.
func (p place) runs(stack string) []access {
	name := "heliograph-" + stack
	return []access{
		{
			read: []string{
				"lambda:GetFunction", "lambda:GetFunctionConfiguration", "lambda:GetFunctionCodeSigningConfig", "lambda:GetPolicy",
				"lambda:ListVersionsByFunction", "lambda:GetFunctionEventInvokeConfig", "lambda:ListTags",
			},
			write: []string{
				"lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:DeleteFunction",
				"lambda:AddPermission", "lambda:RemovePermission", "lambda:PutFunctionEventInvokeConfig", "lambda:UpdateFunctionEventInvokeConfig",
				"lambda:DeleteFunctionEventInvokeConfig", "lambda:PutFunctionConcurrency", "lambda:DeleteFunctionConcurrency",
				"lambda:TagResource", "lambda:UntagResource",
			},
			on: []string{p.arn("lambda", "function:"+name+"-*")},
		},
		{
			read:  []string{"lambda:GetEventSourceMapping", "lambda:ListTags"},
			write: []string{"lambda:UpdateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:TagResource", "lambda:UntagResource"},
			on:    []string{p.arn("lambda", "event-source-mapping:*")},
		},
		{write: []string{"lambda:CreateEventSourceMapping"}, on: []string{"*"}}, // it knows no resources
	}
}

// starts is the functions' roles and schedules.
func (p place) starts(stack string) []access {
	name := "heliograph-" + stack
	return []access{
		{
			read: []string{"iam:GetRole", "iam:ListRolePolicies", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListInstanceProfilesForRole"},
			write: []string{
				"iam:CreateRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy",
				"iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:PassRole",
			},
			on: []string{"arn:" + p.partition + ":iam::" + p.account + ":role/" + name + "-" + p.region + "-*"},
		},
		{
			read:  []string{"events:DescribeRule", "events:ListTargetsByRule", "events:ListTagsForResource"},
			write: []string{"events:PutRule", "events:DeleteRule", "events:PutTargets", "events:RemoveTargets", "events:TagResource", "events:UntagResource"},
			on:    []string{p.arn("events", "rule/"+name+"-*")},
		},
	}
}

// serves is the APIs.
func (p place) serves() []access {
	gateway := "arn:" + p.partition + ":apigateway:" + p.region + "::"
	return []access{
		{
			read:  []string{"apigateway:GET"},
			write: []string{"apigateway:POST", "apigateway:PUT", "apigateway:PATCH", "apigateway:DELETE"},
			on:    []string{gateway + "/apis", gateway + "/apis/*", gateway + "/domainnames", gateway + "/domainnames/*", gateway + "/tags/*", gateway + "/account"},
		},
		{
			write: []string{"iam:CreateServiceLinkedRole"}, // of an account's first API with a domain
			on:    []string{"arn:" + p.partition + ":iam::" + p.account + ":role/aws-service-role/ops.apigateway.amazonaws.com/*"},
		},
	}
}

// watches is logs, alarms and the dashboard.
func (p place) watches(stack string) []access {
	name := "heliograph-" + stack
	return []access{
		{
			read: []string{"logs:ListTagsForResource"},
			write: []string{
				"logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy", "logs:TagResource", "logs:UntagResource",
			},
			on: []string{p.arn("logs", "log-group:/aws/*/"+name+"-*")},
		},
		{ // how API Gateway is told to write access logs; these know no resources
			read:  []string{"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:DescribeResourcePolicies"},
			write: []string{"logs:CreateLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery", "logs:PutResourcePolicy"},
			on:    []string{"*"},
		},
		{
			read:  []string{"cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"},
			write: []string{"cloudwatch:PutMetricAlarm", "cloudwatch:PutCompositeAlarm", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource", "cloudwatch:UntagResource"},
			on:    []string{p.arn("cloudwatch", "alarm:"+name+"-*")},
		},
		{
			read:  []string{"cloudwatch:GetDashboard"},
			write: []string{"cloudwatch:PutDashboard", "cloudwatch:DeleteDashboards"},
			on:    []string{"arn:" + p.partition + ":cloudwatch::" + p.account + ":dashboard/" + name + "-" + p.region},
		},
	}
}

// alarmKeys is the key of a stack's alarm topics. A key has no name before it exists, so this reaches all keys of the
// account whose own policy leaves them to IAM, except this program's, whose policies do not.
func (p place) alarmKeys() access {
	return access{
		read: []string{"kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"},
		write: []string{
			"kms:CreateKey", "kms:PutKeyPolicy", "kms:EnableKeyRotation", "kms:UpdateKeyDescription", "kms:ScheduleKeyDeletion",
			"kms:TagResource", "kms:UntagResource",
		},
		on: []string{"*"},
	}
}
