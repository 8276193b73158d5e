"""The REST API of what is judged: policies, evidence, documents, sign-offs and reports."""
