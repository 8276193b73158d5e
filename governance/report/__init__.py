"""Audit reports: collect what the ledger says, compose what a reader needs, render it as PDF/A-3a.

Each stage knows only the one before it. Not in charge of who may ask or of keeping what is made:
governance/actions/reports.py is.
"""
