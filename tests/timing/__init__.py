"""How long a test waits, how fast the sandbox is, and how late the machine is."""
