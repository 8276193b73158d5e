"""The REST API of the portal's nouns, and what every part of the API shares: who asks, pages of lists, problems."""
