package ssm_test

import (
	"testing"

	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"heliograph/simulator/wire/wiretest"
)

func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	wiretest.HoldAgainstModel(t, newServer().Service(), wiretest.Published{Folder: "ssm/2014-11-06", Client: &awsssm.Client{}})
}
