"""Adapters: folders of test sets in their makers' own layouts, as arrays.

An adapter reads and checks; it changes nothing and fetches nothing. No set is shipped.
"""
