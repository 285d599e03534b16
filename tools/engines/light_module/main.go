// Command light answers with CometBFT's own light client whether headers are to be trusted.
//
// It reads one case a line from standard input, as JSON in the forms of the engine's own JSON-RPC, and writes one
// verdict a line: an empty string where the header is accepted, the reason otherwise.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"
)

// block is a signed header with its validators, as `/commit` and `/validators` give them.
type block struct {
	SignedHeader json.RawMessage `json:"signed_header"`
	Validators   json.RawMessage `json:"validators"`
}

// request is one case; times are nanoseconds.
type request struct {
	ChainID   string    `json:"chain_id"`
	Trusted   block     `json:"trusted"`
	Untrusted block     `json:"untrusted"`
	Period    int64     `json:"period_ns"`
	Drift     int64     `json:"drift_ns"`
	Now       time.Time `json:"now"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "version" {
		fmt.Println(version())
		return
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := bufio.NewWriter(os.Stdout)
	defer answers.Flush()
	decoder := json.NewDecoder(lines)
	encoder := json.NewEncoder(answers)
	for decoder.More() {
		var asked request
		if err := decoder.Decode(&asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		reason := ""
		if err := judge(asked); err != nil {
			reason = err.Error()
		}
		if err := encoder.Encode(reason); err != nil {
			os.Exit(1)
		}
	}
}

// version is that of the engine that this was built with.
func version() string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range built.Deps {
			if dependency.Path == "github.com/cometbft/cometbft" {
				return strings.TrimPrefix(dependency.Version, "v")
			}
		}
	}
	return "unknown"
}

func judge(asked request) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("panic: %v", problem)
		}
	}()
	trusted, err := read(asked.Trusted, asked.ChainID)
	if err != nil {
		return fmt.Errorf("trusted: %w", err)
	}
	untrusted, err := read(asked.Untrusted, asked.ChainID)
	if err != nil {
		return fmt.Errorf("untrusted: %w", err)
	}
	return light.Verify(trusted.SignedHeader, trusted.ValidatorSet, untrusted.SignedHeader, untrusted.ValidatorSet,
		time.Duration(asked.Period), asked.Now, time.Duration(asked.Drift), light.DefaultTrustLevel)
}

// read does what the light client's HTTP provider does with the engine's answers.
func read(given block, chainID string) (*types.LightBlock, error) {
	var header types.SignedHeader
	if err := cmtjson.Unmarshal(given.SignedHeader, &header); err != nil {
		return nil, err
	}
	var validators []*types.Validator
	if err := cmtjson.Unmarshal(given.Validators, &validators); err != nil {
		return nil, err
	}
	set, err := types.ValidatorSetFromExistingValidators(validators)
	if err != nil {
		return nil, err
	}
	read := &types.LightBlock{SignedHeader: &header, ValidatorSet: set}
	return read, read.ValidateBasic(chainID)
}
