"""The one configuration: the services of the system, its variants, how much to measure, when to fail."""
