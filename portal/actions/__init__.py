"""Writes of the portal: one module per noun, one function per verb, keyword-only, `by=`, with its event."""
