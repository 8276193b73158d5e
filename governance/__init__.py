"""governance JUDGES: what must be true before a bundle may enter a stage."""
