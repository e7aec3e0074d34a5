package main

import (
	"context"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

func signalContext() context.Context { return genericapiserver.SetupSignalContext() }
