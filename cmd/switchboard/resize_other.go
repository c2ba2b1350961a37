//go:build !unix

package main

// resizes says when the window gets another size: nothing does here.
func resizes() (resized <-chan struct{}, stop func()) { return nil, func() {} }
