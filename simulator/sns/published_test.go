package sns_test

import (
	"testing"

	awssns "github.com/aws/aws-sdk-go-v2/service/sns"

	"heliograph/simulator/wire/wiretest"
)

func TestHoldsAgainstPublishedModel(t *testing.T) {
	t.Parallel()
	s, _ := newServer()
	wiretest.HoldAgainstModel(t, s.Service(), wiretest.Published{Folder: "sns/2010-03-31", Client: &awssns.Client{}})
}
