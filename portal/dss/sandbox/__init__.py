"""A sandbox DSS: an HTTP server that plays a small estate of nodes for the demo and the tests.

It answers the calls of the public API that the portal and Dataiku's published pipelines make, keeps its state on disk
and misbehaves on request. Nothing here is imported by production code; nothing here imports Django.
"""
