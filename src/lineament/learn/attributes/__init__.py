"""What a face looks like, learnt: its age, and the labels of sex that sets carry."""
