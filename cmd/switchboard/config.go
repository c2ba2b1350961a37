package main

import (
	"fmt"

	"github.com/netra-systems/switchboard/config"
	"github.com/netra-systems/switchboard/node"
)

type configCmd struct {
	Check        configCheckCmd   `cmd:"" help:"Tell what a file configures, or all that is wrong with it."`
	PrintDefault configDefaultCmd `cmd:"" help:"Print a file with every key and what it means, which changes nothing."`
	Schema       configSchemaCmd  `cmd:"" help:"Print the JSON Schema of the file, for editors."`
}

// Help implements kong.HelpProvider.
func (configCmd) Help() string {
	return `The file says which agents answer, with which models and tools, and within which limits; docs/CONFIG.md describes it.

Examples:

    switchboard config print-default > switchboard.yaml
    switchboard config check switchboard.yaml
    switchboard config schema > switchboard.schema.json
    switchboard serve --config switchboard.yaml`
}

// configCheckCmd has those flags of serve that a file depends on as variables alone.
type configCheckCmd struct {
	File string `arg:"" optional:"" file:"" help:"The file. Default: SWITCHBOARD_CONFIG, or switchboard.yaml." env:"SWITCHBOARD_CONFIG" default:"switchboard.yaml"`

	Model     string `hidden:"" help:"As for serve." env:"SWITCHBOARD_MODEL"`
	OpenAIKey string `hidden:"" help:"As for serve." env:"SWITCHBOARD_OPENAI_API_KEY,OPENAI_API_KEY" name:"openai-api-key"`
	OpenAIURL string `hidden:"" help:"As for serve." env:"SWITCHBOARD_OPENAI_BASE_URL,OPENAI_BASE_URL" name:"openai-base-url"`
	FetchURL  bool   `hidden:"" help:"As for serve." env:"SWITCHBOARD_FETCH_URL" name:"fetch-url"`
}

// Help implements kong.HelpProvider.
func (configCheckCmd) Help() string {
	return `It reads the file as serve would with the same variables, and starts nothing. Each problem is a line on stderr that begins with
file, line and column.

Exit codes: 0 the file is good, 2 it is not.`
}

// Run implements the command.
func (c *configCheckCmd) Run(s streams) error {
	sum, err := node.CheckConfig(node.Settings{Config: c.File, Model: c.Model, OpenAIKey: c.OpenAIKey, OpenAIURL: c.OpenAIURL, FetchURL: c.FetchURL})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s: %s\n", c.File, sum)
	return err
}

type configDefaultCmd struct{}

// Run implements the command.
func (configDefaultCmd) Run(s streams) error {
	_, err := s.out.Write(config.PrintDefault())
	return err
}

type configSchemaCmd struct{}

// Run implements the command.
func (configSchemaCmd) Run(s streams) error {
	_, err := s.out.Write(config.Schema())
	return err
}
