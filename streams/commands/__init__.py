"""The bodies of the commands, each loaded only when it is called."""
