"""How it is computed: what is missing, in which process, with which progress."""
