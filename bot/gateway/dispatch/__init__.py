"""Which request is answered by whom, and how each of them is answered."""
