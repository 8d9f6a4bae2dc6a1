#!/bin/sh
# Sends a user a message by the AWS command line; needs jq, which quotes what stands in the message:
#
#   SEND_QUEUE_URL=https://… ./send.sh 1234 "Hello from the shell"
set -eu

# Older versions of the AWS command line do not read AWS_ENDPOINT_URL, which leads to a local stack.
aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} sqs send-message --queue-url "$SEND_QUEUE_URL" \
  --message-body "$(jq -nc --arg user "$1" --arg body "$2" '{UserId: $user, Body: $body}')"
