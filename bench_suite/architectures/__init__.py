"""The architectures of the literature, one file per family; importing a family enters it in the catalogue."""
