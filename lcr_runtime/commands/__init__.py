"""The command line ``lcr``: a module a command."""
