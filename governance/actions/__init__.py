"""Writes of governance: one module per noun, one function per verb, keyword-only, `by=`, with its event."""
