"""portal KNOWS: what exists, who may do what, and what happened."""
