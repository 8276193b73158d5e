"""The demo: processes to start, people to play, and the story they play through the portal's own REST API."""
