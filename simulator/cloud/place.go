package cloud

// The Region and account of every cloud. AWS's own emulators use the same account, so nobody takes it for a real one.
const (
	region  = "us-east-1"
	account = "000000000000"
)

// Place is the Region and the account that resources are in.
type Place struct{ Region, Account string }

// ARN names a resource of a service here; rest is the part after the account.
func (p Place) ARN(service, rest string) string {
	return "arn:aws:" + service + ":" + p.Region + ":" + p.Account + ":" + rest
}
