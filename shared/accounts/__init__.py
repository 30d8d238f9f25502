"""Accounts: the Postiz organizations behind the profiles, their budgets, holds and waits."""
