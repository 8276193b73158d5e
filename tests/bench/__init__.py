"""Benchmarks: what the portal costs, each beside the floor it cannot go under. Run by `./dev bench`.

A benchmark is a function that returns what it measured and, in the same run on the same machine, the floor: the same
work without the portal's part in it. Only the ratio says something about the portal, so a goal speaks of that.
"""
