"""Services in containers: everything that talks to a Docker engine."""
