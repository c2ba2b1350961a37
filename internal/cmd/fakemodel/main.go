// Command fakemodel serves package fakemodel: a model server that answers like the offline demo and fails on request.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/netra-systems/switchboard/internal/fakemodel"
)

func main() {
	var flags struct {
		Listen string        `help:"Address to listen on; port 0 picks one." default:"127.0.0.1:0"`
		Delay  time.Duration `help:"Wait before each chunk, e.g. 20ms."`
		Key    string        `help:"Key to ask for." env:"FAKEMODEL_KEY"`
	}
	kong.Parse(&flags, kong.Name("fakemodel"),
		kong.Description("Serves OpenAI's streaming chat protocol without a model, Anthropic's at /v1/messages and AG-UI at /agui. Prints OpenAI's base URL, and serves until it is interrupted."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, fakemodel.Config{Listen: flags.Listen, Delay: flags.Delay, Key: flags.Key}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(2)
	}
}

func run(ctx context.Context, c fakemodel.Config) error {
	s, err := fakemodel.Start(c)
	if err != nil {
		return err
	}
	fmt.Println(s.URL())
	<-ctx.Done()
	return s.Close()
}
