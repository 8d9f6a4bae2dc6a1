"""Sends a user a message, as a backend in Python would:

pip install boto3 && SEND_QUEUE_URL=https://… python3 send.py 1234 "Hello from Python"
"""

import json
import os
import sys

import boto3

_, user, body = sys.argv
# Older versions of boto3 do not read AWS_ENDPOINT_URL by themselves, which leads to a local stack.
queues = boto3.client("sqs", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
queues.send_message(
    QueueUrl=os.environ["SEND_QUEUE_URL"],
    MessageBody=json.dumps({"UserId": user, "Body": body}),
)
