"""deployments ACTS: asks the gate, promotes, tests, watches, rolls back."""
