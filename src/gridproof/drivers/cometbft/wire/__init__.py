"""What the engine and the application say to each other; `abci_pb2` is compiled from `abci.proto`."""
