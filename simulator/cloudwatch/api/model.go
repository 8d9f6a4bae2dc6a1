package api

import (
	_ "embed"

	"heliograph/simulator/wire"
)

//go:embed model.json
var modelText []byte

// model is AWS's published description of the inputs of the actions here.
var model = wire.ParseModel(modelText)
