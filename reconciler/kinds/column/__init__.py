"""What columns are made of, each piece in one file: where they stand, numbering, nulls, conversions, short forms."""
