"""Lets a bare checkout run: ``pytest`` finds the plugin without an installed package."""

pytest_plugins = ["harness.plugin"]
