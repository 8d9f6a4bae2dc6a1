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

// What others are billed for, and where that is quoted. AWS's own pages show prices to browsers only.
const (
	// AppSync Events. AWS's price list, as copied to https://huggingface.co/datasets/labofsahil/aws-pricing-dataset
	// (AWSAppSync.csv): "$1 per million Event API operations", in force since 2024-09-01. Minutes:
	// https://aws.amazon.com/appsync/pricing/.
	eventMinute    = 0.08 / million // of a connection
	eventOperation = 1.00 / million // in or out, each 5 KB

	// IoT Core. What is metered, and in units of 5 KB, is on https://aws.amazon.com/iot-core/pricing/additional-details/; no
	// dated quotation of the two prices was found, so compare them with https://aws.amazon.com/iot-core/pricing/.
	thingMinute  = 0.08 / million // of a connection
	thingMessage = 1.00 / million // in or out, each 5 KB, the first 1,000 million of a month

	// Fargate, Linux on x86: https://www.wring.co/blog/aws-fargate-pricing-guide of 2026-03-10, and
	// https://www.vantage.sh/blog/fargate-pricing.
	taskCPUHour      = 0.04048
	taskGigabyteHour = 0.004445

	// Application Load Balancer: https://cloud-horizons.com/blog/alb-the-line-item-nobody-watches/ of 2026-05-08.
	balancerHour     = 0.0225
	balancerUnitHour = 0.008 // one unit: 25 new connections a second, 3,000 open ones, or 1 GB an hour

	// ElastiCache, cache.t4g.small. No dated quotation was found: compare it with https://aws.amazon.com/elasticache/pricing/.
	redisHour = 0.032
)
