"""The field ``sex``: two labels, and what they can and cannot mean.

The labels are those that annotators, or lists of the web, gave to pictures by how people looked. A
score repeats such labels. It does not say what gender a person has, what a person's body is like,
or what a person should be called; it has no answer for who is neither; and it is wrong more often
for children and for some groups, as `lineament bench utkface-age-sex` shows. The field is made for
audits: whether a method or a set serves the two labels alike.
"""

from __future__ import annotations

SEXES = ("female", "male")
"""Names of the columns of the field ``sex``."""
