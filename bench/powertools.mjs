// What @aws-lambda-powertools/metrics takes for an invocation: ten metrics, two properties, one line. The line goes to
// stdout, which bench/compare sends to /dev/null; the CPU time of an invocation goes to stderr, in nanoseconds.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../.ci/package.json', import.meta.url));
const { Metrics, MetricUnit } = require('@aws-lambda-powertools/metrics');

const names = ['MessagesReceived', 'PostsDelivered', 'PostsThrottled', 'PostsGone', 'PostsFailed', 'FollowUpsQueued',
  'ConnectionsClosed', 'DeliveryLatency', 'MessagesExpired', 'MessagesOffline'];
const metrics = new Metrics({ namespace: 'Heliograph', serviceName: 'send', defaultDimensions: { Stage: 'test' } });

function invocation() {
  metrics.addMetadata('requestId', '8476a536-e9f4-11e8-9739-2dfe598c3fcd');
  metrics.addMetadata('traceId', '1-5759e988-bd862e3fe1be46a994272793');
  for (const name of names) metrics.addMetric(name, MetricUnit.Count, 12);
  metrics.publishStoredMetrics();
}

const n = 100_000;
for (let i = 0; i < n / 10; i++) invocation(); // until it is compiled
const before = process.cpuUsage();
for (let i = 0; i < n; i++) invocation();
const { user, system } = process.cpuUsage(before);
console.error(Math.round((user + system) * 1000 / n));
