"""The section: where glands, stroma and tumour are, and the cells in them."""
