from hypothesis import settings

settings.register_profile("statistics", deadline=None, derandomize=True, database=None)
settings.load_profile("statistics")
