"""Writes of deployments: one module per noun, one function per verb, keyword-only, `by=`, with its event."""
