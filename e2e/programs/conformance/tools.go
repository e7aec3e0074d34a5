//go:build agnhost

package main

// The program of the test images, built from here as well: it is a program of its own and only named, so that its
// modules are among those of this one.
import _ "k8s.io/kubernetes/test/images/agnhost"
