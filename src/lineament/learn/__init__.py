"""Training: the engine, and the methods that are trained. Only files of this floor know torch.

This file and `recipes`, `settings` and `landmarks.crops` import none of it, so that what is above
can ask for recipes and templates without a trainer being installed.
"""
