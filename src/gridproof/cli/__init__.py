"""The command line: thin skins over actors and queries."""
