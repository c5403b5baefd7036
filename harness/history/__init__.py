"""All runs in ClickHouse, embedded or on a server, to look for steps over time.

The run files are the truth: everything here can be built from them again. Nothing of it is loaded while measuring.
"""
