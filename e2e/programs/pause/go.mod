module kubeocean.io/e2e/programs/pause

go 1.25.0
