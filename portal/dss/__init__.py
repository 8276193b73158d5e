"""Talking to Dataiku DSS: keys by name, the client, what it answers, and reading bundle archives.

Only `client` imports dataikuapi. Nothing here touches the database or Django's settings.
"""
