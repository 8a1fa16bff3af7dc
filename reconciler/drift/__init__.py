"""Tell for each difference from the declaration which side has moved since the last run."""
