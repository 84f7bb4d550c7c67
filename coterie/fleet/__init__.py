"""Fleets: a process for each agent, and messages between them."""
