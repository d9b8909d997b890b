"""The processes beside the measuring one: the worker, and the simpler programs it is compared with."""
