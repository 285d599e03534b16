"""Real services for tests, benchmarks and demonstrations: each is had by one function, which may be called again.

| engine | what it is | where it comes from |
|---|---|---|
| `cometbft` | the engine of a network of nodes | built from the module in `cometbft_module/`, likewise |
| `light` | the engine's own light client, case by case | built from the module in `light_module/`, likewise |
| `faulty` | the engine, its clock off or its disk full | the same sources over a library with two functions of ours |
| `kubo` | an IPFS node | built from the module in `kubo_module/`, which pins every source by its hash |
| `chromium` | a browser | the system's package |

What is built lies in `~/.cache/gridproof/engines` (or where GRIDPROOF_ENGINES says), and is found again there by its
version and sources. Two runs at once wait for each other. `python -m tools.engines kubo` prints the program's path.
"""
