package sns

import (
	_ "embed"

	"heliograph/simulator/wire"
)

//go:embed model.json
var modelText []byte

// model is what AWS publishes about the inputs of the actions here.
var model = wire.ParseModel(modelText)
