"""What `check_env` looks at: how episodes are recorded, and the rules they must keep."""
