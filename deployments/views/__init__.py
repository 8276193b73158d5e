"""Pages of deployments, one module per noun: parse, call one action or query, answer."""
