package dynamodb

import (
	_ "embed"

	"heliograph/simulator/wire"
)

//go:embed model.json
var modelText []byte

// model is AWS's published model of the inputs of this package's actions.
var model = wire.ParseModel(modelText)
