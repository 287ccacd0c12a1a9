"""Which way heads are turned."""
