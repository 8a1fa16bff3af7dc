"""Roll one declaration out to several targets, in batches."""
