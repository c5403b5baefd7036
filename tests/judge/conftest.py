from hypothesis import settings

settings.register_profile("judge", deadline=None, derandomize=True, database=None)
settings.load_profile("judge")
