"""One network for many tasks, learnt from sets of which each knows some labels only."""
