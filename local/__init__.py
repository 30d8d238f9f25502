"""What only a single machine needs: the embedded stack, the sandbox Postiz, the demo."""
