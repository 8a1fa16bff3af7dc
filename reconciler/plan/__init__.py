"""From changes to an ordered, proven plan."""
