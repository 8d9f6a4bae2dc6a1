package cloud

// The Region and account of every cloud. AWS's own emulators use the same account, so it can't be mistaken for a real
// one.
const (
	region  = "us-east-1"
	account = "000000000000"
)

// Place is the Region and account of the resources.
type Place struct{ Region, Account string }

// ARN names a service's resource in this place; rest is the part after the account.
func (p Place) ARN(service, rest string) string {
	return "arn:aws:" + service + ":" + p.Region + ":" + p.Account + ":" + rest
}
