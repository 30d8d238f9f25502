"""A stand-in Postiz that behaves as the real one was seen to behave, with faults to switch on."""
