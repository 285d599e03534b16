"""The forms in which the engine hashes and signs, restated; `make protos` compiles them."""
