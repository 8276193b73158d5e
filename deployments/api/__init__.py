"""The REST API of what is done: projects with what runs in them, requests, promotions, deployments."""
