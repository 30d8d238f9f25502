"""How long a test waits for what has to come: far longer than any machine at work needs.

A test that fails waits in vain; one that passes waits no longer than it takes. What is judged by a
clock is judged by `make bench`.
"""

PATIENCE = 300.0
