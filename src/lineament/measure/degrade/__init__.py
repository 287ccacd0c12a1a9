"""Pictures made worse on purpose, so that one real set becomes many: pure functions of pixels, a
severity with a unit, and a seed where something is random. `suites` lists them with their ladders.
"""
