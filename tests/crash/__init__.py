"""Kills at every boundary of the engine: whatever dies, the end is the same and nothing is done twice."""
