package api_test

import (
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"heliograph/simulator/cloudwatch"
	"heliograph/simulator/cloudwatch/alarm"
	"heliograph/simulator/cloudwatch/api"
	"heliograph/simulator/wire/wiretest"
)

func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	store := cloudwatch.New(cloudwatch.Options{})
	service := api.Service(api.Options{Store: store, Alarms: alarm.New(store, alarm.Options{}), Account: "1"})
	wiretest.HoldAgainstModel(t, service, wiretest.Published{Folder: "cloudwatch/2010-08-01", Client: &sdk.Client{}})
}
