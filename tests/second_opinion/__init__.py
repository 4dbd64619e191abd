"""A second implementation of the zones that shares no code with the first one, and the comparison of both."""
