// Sends a user a message, as a backend in Node.js would:
//
//   npm install && SEND_QUEUE_URL=https://… node send.js 1234 "Hello from Node.js"
const { SQSClient, SendMessageCommand } = require("@aws-sdk/client-sqs");

const [user, body] = process.argv.slice(2);
new SQSClient({}).send(new SendMessageCommand({
  QueueUrl: process.env.SEND_QUEUE_URL,
  MessageBody: JSON.stringify({ UserId: user, Body: body }),
})).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
