"""Services that come with the harness and run as programs of their own."""
