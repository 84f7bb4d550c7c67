"""Parts of `check_env`: the record of an episode, and the rules that episodes must keep."""
