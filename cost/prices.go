package cost

// PricesOf is when the prices in this file were looked up, all of them in USD for US East (N. Virginia), without free
// tiers and discounts. They are third parties' quotations of AWS's pages, and none is fetched: check them for your Region.
const PricesOf = "November 2026"

const million = 1e6

// What a stack is billed for.
const (
	connectionMinute = 0.25 / million
	post             = 1.00 / million
	request          = 1.00 / million // to the HTTP API
	queueRequest     = 0.40 / million
	publish          = 0.50 / million
	invocation       = 0.20 / million
	gigabyteSecond   = 13.3334 / million // Arm
	writeUnit        = 0.625 / million
	readUnit         = 0.125 / million
	logGigabyte      = 0.50
	trace            = 5.00 / million
	customMetric     = 0.30
	dashboard        = 3.00
)

// What others are billed for.
const (
	eventMinute    = 0.08 / million // AppSync Events: of a connection
	eventOperation = 1.00 / million // AppSync Events: in or out, each 5 KB
	thingMinute    = 0.08 / million // IoT Core: of a connection
	thingMessage   = 1.00 / million // IoT Core: in or out, each 5 KB, the first 1,000 million of a month

	taskCPUHour      = 0.04048  // Fargate, x86
	taskGigabyteHour = 0.004445 // Fargate, x86
	balancerHour     = 0.0225   // Application Load Balancer
	balancerUnitHour = 0.008    // one unit: 25 new connections a second, 3,000 open ones, or 1 GB an hour
	redisHour        = 0.032    // ElastiCache, cache.t4g.small
)
