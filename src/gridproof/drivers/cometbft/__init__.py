"""The network driver: the Application behind the engine CometBFT, whose validators are the data aggregators."""
