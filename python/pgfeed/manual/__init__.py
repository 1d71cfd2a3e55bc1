"""The documents: pages that are made from the catalogue, and the code in those that are written."""
