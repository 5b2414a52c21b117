"""The node's HTTP API. FastAPI appears here only. `calls` says who calls; the routes are thin, the rules are below."""
